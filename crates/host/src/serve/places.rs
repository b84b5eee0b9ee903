//! A bounded number of places, of which no client can have all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::serve::connections::network;

/// Places for requests. Requests of one client wait for each other first: whatever it sends, other clients find places.
pub(super) struct Places {
    all: Arc<Semaphore>,
    client_limit: usize,
    clients: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// A place. Dropping it makes room for another request.
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    _client: ClientPlace,
}

/// A place among those of the same client.
struct ClientPlace {
    places: Arc<Places>,
    network: IpAddr,
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// Creates `count` places, of which one client can have `client_limit`, but at least one.
    pub(super) fn new(count: usize, client_limit: usize) -> Arc<Self> {
        let client_limit = client_limit.max(1);
        Arc::new(Self { all: Arc::new(Semaphore::new(count)), client_limit, clients: Mutex::default() })
    }

    /// Waits for a place for a request of `client`: an IPv4 address, or an IPv6 /64 network.
    pub(super) async fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let network = network(client);
        let limit = || Arc::new(Semaphore::new(self.client_limit));
        let own = self.clients().entry(network).or_insert_with(limit).clone();
        // Created before the wait, so that a cancelled request leaves no client behind.
        let mut client = ClientPlace { places: self.clone(), network, permit: None };
        client.permit = Some(own.acquire_owned().await.ok()?);
        Some(Place { _all: self.all.clone().acquire_owned().await.ok()?, _client: client })
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut clients = self.places.clients();
        self.permit = None;
        // Held by the map alone: the client has no other request.
        if clients.get(&self.network).is_some_and(|places| Arc::strong_count(places) == 1) {
            clients.remove(&self.network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const BUSY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    /// Takes a place if that needs no waiting.
    fn take(places: &Arc<Places>, client: IpAddr) -> Option<Place> {
        match pin!(places.take(client)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => place,
            Poll::Pending => None,
        }
    }

    #[test]
    fn no_client_has_all_places() {
        let places = Places::new(4, 3);
        let mut taken: Vec<_> = (0..3).map(|_| take(&places, BUSY).expect("a place")).collect();
        assert!(take(&places, BUSY).is_none());
        let other = take(&places, OTHER).expect("the last place");
        taken.pop();
        assert!(take(&places, BUSY).is_some());
        drop((taken, other));
        assert!(places.clients().is_empty());
    }

    #[test]
    fn networks_are_clients() {
        let places = Places::new(2, 1);
        let _place = take(&places, "2001:db8::1".parse().unwrap()).expect("a place");
        assert!(take(&places, "2001:db8::2".parse().unwrap()).is_none());
        assert!(take(&places, "2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
