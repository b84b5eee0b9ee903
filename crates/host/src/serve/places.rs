//! A bounded number of places, which clients share fairly.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::serve::connections::network;

/// Places for requests. A free place goes to the client that has the fewest, so that a flood of requests from one address
/// does not delay others.
pub(super) struct Places {
    client_limit: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    /// The number of requests that have asked for a place.
    arrived: u64,
    clients: HashMap<IpAddr, Client>,
}

/// The requests of one network.
#[derive(Default)]
struct Client {
    taken: usize,
    /// The requests that wait, numbered in the order of arrival. Some may have been cancelled.
    waiting: VecDeque<(u64, oneshot::Sender<Place>)>,
}

/// How many requests use places.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) taken: usize,
    pub(super) waiting: usize,
}

/// A place. Dropping it makes room for another request.
pub(super) struct Place {
    places: Arc<Places>,
    network: IpAddr,
}

impl Places {
    /// Creates `count` places, of which one client can have up to `client_limit`, and at least one.
    pub(super) fn new(count: usize, client_limit: usize) -> Arc<Self> {
        let state = State { free: count, arrived: 0, clients: HashMap::new() };
        Arc::new(Self { client_limit: client_limit.max(1), state: Mutex::new(state) })
    }

    /// Waits for a place for a request of `client`: an IPv4 address, or an IPv6 /64 network.
    pub(super) async fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let (sender, place) = oneshot::channel();
        {
            let State { arrived, clients, .. } = &mut *self.state();
            *arrived += 1;
            let waiting = &mut clients.entry(network(client)).or_default().waiting;
            // Cancelled requests would add up as long as no place gets free.
            waiting.retain(|(_, sender)| !sender.is_closed());
            waiting.push_back((*arrived, sender));
        }
        self.fill();
        place.await.ok()
    }

    /// Returns the number of places that are taken, and of requests that wait for one.
    pub(super) fn load(&self) -> Load {
        let state = self.state();
        let clients = state.clients.values();
        let is_waiting = |(_, sender): &&(u64, oneshot::Sender<Place>)| !sender.is_closed();
        let waiting = |client: &Client| client.waiting.iter().filter(is_waiting).count();
        Load { taken: clients.clone().map(|client| client.taken).sum(), waiting: clients.map(waiting).sum() }
    }

    /// Gives free places to requests that wait.
    fn fill(self: &Arc<Self>) {
        while let Some((network, sender)) = self.next() {
            // A cancelled request returns its place, which calls this function again.
            let _ = sender.send(Place { places: self.clone(), network });
        }
    }

    /// Takes a free place for the next request: the first of those clients that have the fewest places.
    fn next(&self) -> Option<(IpAddr, oneshot::Sender<Place>)> {
        let State { free, clients, .. } = &mut *self.state();
        if *free == 0 {
            return None;
        }
        let next = |client: &Client| Some((client.taken, client.waiting.front()?.0));
        let waiting = clients.iter_mut().filter_map(|(network, client)| Some((next(client)?, network, client)));
        let ((taken, _), network, client) = waiting.min_by_key(|(order, ..)| *order)?;
        if taken >= self.client_limit {
            return None;
        }
        *free -= 1;
        client.taken += 1;
        Some((*network, client.waiting.pop_front()?.1))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let State { free, clients, .. } = &mut *self.places.state();
            *free += 1;
            if let Some(client) = clients.get_mut(&self.network) {
                client.taken -= 1;
                if client.taken == 0 && client.waiting.is_empty() {
                    clients.remove(&self.network);
                }
            }
        }
        self.places.fill();
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

    /// Takes a place if one is free.
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
        assert!(places.state().clients.is_empty());
    }

    #[test]
    fn the_client_with_the_fewest_places_is_next() {
        let places = Places::new(2, 2);
        let mut taken: Vec<_> = (0..2).map(|_| take(&places, BUSY).expect("a place")).collect();
        let mut waiting = [BUSY, OTHER].map(|client| Box::pin(places.take(client)));
        let mut poll = || waiting.each_mut().map(|place| place.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        assert!(poll().iter().all(Poll::is_pending));
        taken.pop();
        assert_eq!(poll().map(|place| place.is_ready()), [false, true]);
    }

    #[test]
    fn the_load_has_no_cancelled_requests() {
        let places = Places::new(2, 2);
        assert_eq!(places.load(), Load { taken: 0, waiting: 0 });
        let taken = [BUSY, OTHER].map(|client| take(&places, client).expect("a place"));
        let mut waiting = [BUSY, OTHER].map(|client| Box::pin(places.take(client)));
        for place in &mut waiting {
            assert!(place.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert!(take(&places, BUSY).is_none(), "and no longer waits");
        assert_eq!(places.load(), Load { taken: 2, waiting: 2 });
        drop((waiting, taken));
        assert_eq!(places.load(), Load { taken: 0, waiting: 0 });
    }

    #[test]
    fn cancelled_requests_do_not_add_up() {
        let places = Places::new(1, 1);
        let taken = take(&places, BUSY).expect("a place");
        for _ in 0..100 {
            assert!(take(&places, BUSY).is_none());
        }
        assert_eq!(places.state().clients[&BUSY].waiting.len(), 1);
        drop(taken);
        assert!(take(&places, BUSY).is_some());
    }

    #[test]
    fn of_equal_clients_the_first_is_next() {
        let places = Places::new(1, 1);
        let mut taken = take(&places, BUSY);
        let clients = (0..50).map(|n| IpAddr::V4(Ipv4Addr::new(198, 51, 100, n)));
        let mut waiting: Vec<_> = clients.map(|client| Box::pin(places.take(client))).collect();
        let context = &mut Context::from_waker(Waker::noop());
        for place in &mut waiting {
            assert!(place.as_mut().poll(context).is_pending());
        }
        for mut place in waiting {
            drop(taken.take());
            let Poll::Ready(next) = place.as_mut().poll(context) else { panic!("not its turn") };
            taken = next;
        }
    }

    #[test]
    fn networks_are_clients() {
        let places = Places::new(2, 1);
        let _place = take(&places, "2001:db8::1".parse().unwrap()).expect("a place");
        assert!(take(&places, "2001:db8::2".parse().unwrap()).is_none());
        assert!(take(&places, "2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
