//! The open connections: their limits, and which one is closed to make room.
//!
//! A client that keeps the server waiting holds a connection, and memory while it does not read its response. When
//! either runs out, the connection that has waited for its client longest is closed, but never one whose request is
//! being processed. While clients wait to be admitted, responses to clients with many connections close theirs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::serve::activity::{Activity, Phase};

/// The maximum total size of unread responses, in bytes.
const RESPONSES_SIZE_MAX: usize = 128 << 20;
/// Responses below this size are not counted: even one per connection is little in total.
const RESPONSE_SIZE_COUNTED: usize = 32 << 10;
/// How long a connection must have waited for its client before it can be closed to make room. A busy client sends its
/// next request sooner.
const IDLE_MIN: Duration = Duration::from_millis(100);
/// How often a waiting client looks for such a connection.
const ADMISSION_CHECK: Duration = Duration::from_millis(20);

/// The open connections of a server.
pub(crate) struct Connections {
    limit: usize,
    client_limit: Option<usize>,
    open: Mutex<HashMap<usize, Open>>,
    next_id: AtomicUsize,
    ended: Notify,
    is_crowded: AtomicBool,
}

struct Open {
    network: IpAddr,
    activity: Arc<Activity>,
}

/// The numbers of open connections.
struct Counts {
    all: usize,
    networks: HashMap<IpAddr, usize>,
}

/// An open connection. Dropping it makes room for another.
pub(crate) struct Admitted {
    connections: Arc<Connections>,
    id: usize,
    pub(crate) activity: Arc<Activity>,
}

impl Connections {
    /// Allows `limit` connections in total and `client_limit` per client.
    pub(crate) fn new(limit: usize, client_limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            client_limit,
            open: Mutex::default(),
            next_id: AtomicUsize::new(0),
            ended: Notify::new(),
            is_crowded: AtomicBool::new(false),
        })
    }

    /// Admits a connection of `client`. At the limit, closes the idlest connection among those of the clients that have
    /// most; at the client's limit, its own idlest. Waits while all of these are in use. Returns `None` if the client is at
    /// its limit and uses all of its own.
    pub(crate) async fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Admitted> {
        let network = network(client);
        loop {
            {
                let mut open = self.lock();
                let counts = Counts::of(&open);
                let is_at_limit = self.client_limit.is_some_and(|limit| counts.of_network(network) >= limit);
                if !is_at_limit && open.len() < self.limit {
                    self.is_crowded.store(false, Ordering::Relaxed);
                    let activity = Arc::new(Activity::new());
                    let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                    open.insert(id, Open { network, activity: activity.clone() });
                    return Some(Admitted { connections: self.clone(), id, activity });
                }
                let is_own = is_at_limit || counts.has_many(network);
                let gives_way = |other: &&Open| match is_own {
                    true => other.network == network,
                    false => counts.has_many(other.network),
                };
                match idlest(open.values().filter(gives_way)) {
                    Some(idlest) => idlest.cut(),
                    None if is_at_limit => return None,
                    None => self.is_crowded.store(true, Ordering::Relaxed),
                }
            }
            let _ = tokio::time::timeout(ADMISSION_CHECK, self.ended.notified()).await;
        }
    }

    /// Returns whether a connection of `client` must end with its response: another client waits to be admitted, and this
    /// one has many connections.
    pub(crate) fn must_end(&self, client: IpAddr) -> bool {
        self.is_crowded.load(Ordering::Relaxed) && Counts::of(&self.lock()).has_many(network(client))
    }

    /// Begins a response of `size` bytes. If unread responses exceed their limit, closes the connections that have made
    /// no progress for longest.
    pub(crate) fn begin_response(&self, activity: &Activity, size: usize) {
        activity.begin_response(size);
        if size < RESPONSE_SIZE_COUNTED {
            return;
        }
        let open = self.lock();
        let mut sending: Vec<_> = open.values().map(|open| (open.activity.state(), &open.activity)).collect();
        sending.retain(|(state, _)| state.response_size >= RESPONSE_SIZE_COUNTED);
        let mut total: usize = sending.iter().map(|(state, _)| state.response_size).sum();
        sending.sort_unstable_by_key(|(state, _)| state.since);
        for (state, activity) in sending {
            if total <= RESPONSES_SIZE_MAX {
                break;
            }
            activity.cut();
            total -= state.response_size;
        }
    }

    /// Closes connections whose clients have read nothing of a response for `limit`.
    pub(crate) fn cut_unread(&self, limit: Duration) {
        self.cut(|phase, waited| phase == Phase::Sending && waited >= limit);
    }

    /// Closes connections that have waited for their clients for `limit`; returns how many of them had a request in
    /// flight.
    pub(crate) fn cut_idle(&self, limit: Duration) -> usize {
        self.cut(|phase, waited| phase != Phase::Working && waited >= limit)
    }

    /// Returns how many connections have a request in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().values().filter(|open| open.activity.state().phase != Phase::Idle).count()
    }

    /// Returns how many connections are open.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Closes the connections to which `applies`, given the phase and the time since the last progress.
    fn cut(&self, applies: impl Fn(Phase, Duration) -> bool) -> usize {
        let now = Instant::now();
        let mut in_flight = 0;
        self.lock().retain(|_, open| {
            let state = open.activity.state();
            let is_cut = applies(state.phase, now.saturating_duration_since(state.since));
            if is_cut {
                open.activity.cut();
                in_flight += usize::from(state.phase != Phase::Idle);
            }
            !is_cut
        });
        in_flight
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn of(open: &HashMap<usize, Open>) -> Self {
        let mut networks = HashMap::new();
        for connection in open.values() {
            *networks.entry(connection.network).or_default() += 1;
        }
        Self { all: open.len(), networks }
    }

    fn of_network(&self, network: IpAddr) -> usize {
        self.networks.get(&network).copied().unwrap_or_default()
    }

    /// Returns whether a network has at least as many connections as the average.
    fn has_many(&self, network: IpAddr) -> bool {
        self.of_network(network) * self.networks.len() >= self.all
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
        self.connections.ended.notify_one();
    }
}

/// Returns the connection that has waited for its client longest, if any has for [`IDLE_MIN`].
fn idlest<'a>(open: impl Iterator<Item = &'a Open>) -> Option<&'a Activity> {
    let states = open.map(|open| (open.activity.state(), &*open.activity));
    let waiting = states.filter(|(state, _)| state.phase != Phase::Working && state.since.elapsed() >= IDLE_MIN);
    waiting.min_by_key(|(state, _)| state.since).map(|(_, activity)| activity)
}

/// Returns the network whose connections count together: an IPv4 address, or an IPv6 /64 (RFC 6177).
pub(super) fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Runs `test` on one thread, as the server does.
    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
    }

    /// Holds `admitted` until it is cut.
    fn hold(admitted: Admitted) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move { admitted.activity.is_cut().await })
    }

    #[test]
    fn the_idlest_connection_makes_room() {
        run(async {
            let connections = Connections::new(3, None);
            let [working, idle, recent] = [A, A, A].map(|client| {
                let connections = connections.clone();
                async move { connections.admit(client).await.unwrap() }
            });
            let (working, idle, recent) = (working.await, idle.await, recent.await);
            working.activity.begin_work();
            tokio::time::sleep(IDLE_MIN).await;
            recent.activity.received();
            let (working, idle, recent) = (hold(working), hold(idle), hold(recent));
            let _fourth = connections.admit(B).await.unwrap();
            idle.await.unwrap();
            assert!(!working.is_finished() && !recent.is_finished());
        });
    }

    #[test]
    fn a_client_with_too_many_connections_loses_its_own() {
        run(async {
            let connections = Connections::new(9, Some(2));
            let other = hold(connections.admit(B).await.unwrap());
            let first = hold(connections.admit(A).await.unwrap());
            tokio::time::sleep(IDLE_MIN).await;
            let second = connections.admit(A).await.unwrap();
            let third = connections.admit(A).await.unwrap();
            first.await.unwrap();
            assert!(!other.is_finished());
            second.activity.begin_work();
            third.activity.begin_work();
            assert!(connections.admit(A).await.is_none(), "all of its connections are being worked on");
            assert!(connections.admit(B).await.is_some());
        });
    }

    #[test]
    fn clients_with_many_connections_make_room_for_those_with_few() {
        run(async {
            let connections = Connections::new(4, None);
            let mut open = Vec::new();
            for client in [A, A, A, B] {
                let admitted = connections.admit(client).await.unwrap();
                admitted.activity.begin_work();
                open.push(admitted);
            }
            assert!(!connections.must_end(A), "nobody waits");
            let waiting = connections.admit(B);
            assert!(tokio::time::timeout(ADMISSION_CHECK, waiting).await.is_err(), "all are being worked on");
            assert!(connections.must_end(A) && !connections.must_end(B));
            tokio::time::sleep(IDLE_MIN).await;
            let others = hold(open.pop().unwrap());
            assert!(tokio::time::timeout(ADMISSION_CHECK, connections.admit(A)).await.is_err(), "has enough");
            assert!(!others.is_finished());
        });
    }

    #[test]
    fn unread_responses_have_a_bound() {
        run(async {
            let connections = Connections::new(9, None);
            let mut held = Vec::new();
            for _ in 0..5 {
                let admitted = connections.admit(A).await.unwrap();
                connections.begin_response(&admitted.activity, RESPONSES_SIZE_MAX / 4);
                held.push(hold(admitted));
            }
            held.remove(0).await.unwrap();
            tokio::task::yield_now().await;
            assert!(held.iter().all(|connection| !connection.is_finished()));
        });
    }

    #[test]
    fn requests_that_are_cut_off_are_counted() {
        run(async {
            let connections = Connections::new(9, None);
            let [idle, half_sent, working] = [A, A, A].map(|client| {
                let connections = connections.clone();
                async move { connections.admit(client).await.unwrap() }
            });
            let (_idle, half_sent, working) = (idle.await, half_sent.await, working.await);
            half_sent.activity.received();
            working.activity.begin_work();
            assert_eq!(connections.cut_idle(Duration::ZERO), 1, "the one half sent");
            assert_eq!(connections.in_flight(), 1, "the one that is being worked on");
        });
    }

    #[test]
    fn ipv6_clients_count_by_their_network() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
