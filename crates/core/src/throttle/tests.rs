use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use lanterne_database::Timestamp;

use super::counter::Counter;
use super::{Attempt, Change, CounterStore, Pause, Unavailable, network};
use crate::token::{Key, Keys, Scope};

#[derive(Default)]
struct Map(RefCell<HashMap<String, Vec<u8>>>);

impl CounterStore for Map {
    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Unavailable> {
        let mut map = self.0.borrow_mut();
        if let Some(value) = change(map.get(key).map(Vec::as_slice)) {
            map.insert(key.to_owned(), value);
        }
        Ok(())
    }
}

/// A server with its clock.
struct Server {
    store: Map,
    keys: Keys,
    now: Timestamp,
}

impl Server {
    fn new() -> Self {
        let secret = b"0123456789abcdef0123456789abcdef";
        let keys = Keys::new(secret, Key::hs256(secret), Vec::new(), Scope::default());
        Self { store: Map::default(), keys, now: Timestamp::from_unix(1_800_000_000).unwrap() }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn turn_back(&mut self, seconds: u64) {
        self.now = self.now.before(Duration::from_secs(seconds));
    }

    /// The limit and the expiry of each stored counter.
    fn counters(&self) -> Vec<(String, i64)> {
        let mut counters = Vec::new();
        for (key, value) in self.store.0.borrow().iter() {
            let shard: HashMap<String, Counter> = serde_json::from_slice(value).unwrap();
            let limit = key.split('/').nth(1).unwrap();
            counters.extend(shard.values().map(|counter| (limit.to_owned(), counter.expires_at())));
        }
        counters
    }

    /// Sends a wrong password; `Err` is the remaining pause in seconds.
    fn fail(&self, email: &str, address: &str) -> Result<(), u64> {
        self.attempt(email, address, |_| ()).map_err(|pause| pause.seconds)
    }

    fn succeed(&self, email: &str, address: &str) -> Result<(), u64> {
        self.attempt(email, address, |attempt| attempt.succeeded()).map_err(|pause| pause.seconds)
    }

    fn attempt(&self, email: &str, address: &str, then: impl FnOnce(Attempt<'_>)) -> Result<(), Pause> {
        self.begin(email, address).map(then)
    }

    fn begin(&self, email: &str, address: &str) -> Result<Attempt<'_>, Pause> {
        Attempt::begin(&self.store, &self.keys, email, Some(address), self.now)
    }
}

#[test]
fn ten_failures_at_an_account_from_one_network_start_a_doubling_pause() {
    let mut server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    for pause in [30, 60, 120, 240, 480, 900, 900] {
        assert_eq!(server.fail("a", "::1"), Err(pause));
        server.wait(pause - 1);
        assert_eq!(server.succeed("a", "::1"), Err(1), "the right password has to wait, too");
        server.wait(1);
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    // Neither the account nor the address is paused elsewhere.
    assert_eq!(server.succeed("a", "192.0.2.1"), Ok(()));
    assert_eq!(server.fail("b", "::1"), Ok(()));
    server.wait(24 * 60 * 60);
    assert_eq!(server.fail("a", "::1"), Ok(()));
    assert_eq!(server.fail("a", "::1"), Ok(()));
}

#[test]
fn success_resets_the_failures() {
    let server = Server::new();
    for _ in 0..3 {
        for _ in 0..9 {
            assert_eq!(server.fail("a", "::1"), Ok(()));
        }
        assert_eq!(server.succeed("a", "::1"), Ok(()));
    }
}

#[test]
fn a_hundred_failures_from_one_network_start_a_pause() {
    let mut server = Server::new();
    for account in 0..100 {
        // Logins to one's own account do not reset failures at others.
        assert_eq!(server.succeed("own", "192.0.2.1"), Ok(()));
        assert_eq!(server.fail(&account.to_string(), "192.0.2.1"), Ok(()));
    }
    assert_eq!(server.fail("another", "192.0.2.1"), Err(30));
    assert_eq!(server.succeed("own", "192.0.2.1"), Err(30));
    assert_eq!(server.fail("another", "192.0.2.2"), Ok(()));
    server.wait(15 * 60);
    assert_eq!(server.fail("another", "192.0.2.1"), Ok(()));
    assert_eq!(server.fail("another", "192.0.2.1"), Ok(()));
}

#[test]
fn an_account_under_attack_stays_open_to_its_owner() {
    let mut server = Server::new();
    for address in 0..100 {
        assert_eq!(server.fail("a", &format!("192.0.2.{address}")), Ok(()));
    }
    assert_eq!(server.fail("a", "203.0.113.1"), Ok(()));
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(server.fail("a", "203.0.113.1"), Err(pause));
        server.wait(pause);
        assert_eq!(server.fail("a", "203.0.113.1"), Ok(()));
    }
    assert_eq!(server.succeed("a", "198.51.100.1"), Ok(()));
    // The owner's login has reset the counter of the account.
    assert_eq!(server.fail("a", "198.51.100.1"), Ok(()));
    assert_eq!(server.fail("a", "198.51.100.1"), Ok(()));
}

#[test]
fn an_attempt_during_a_pause_is_not_counted() {
    let server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    }
    let told = |_| server.attempt("a", "192.0.2.1", |_| ()).unwrap_err().is_first_refusal;
    assert_eq!([0, 1, 2].map(told), [true, false, false]);
    for account in 0..90 {
        assert_eq!(server.fail(&account.to_string(), "192.0.2.1"), Ok(()));
    }
    assert_eq!(server.fail("b", "192.0.2.1"), Err(30), "ten and ninety");
}

#[test]
fn stored_counters_reveal_no_address() {
    let server = Server::new();
    assert_eq!(server.fail("user@example.com", "192.0.2.1"), Ok(()));
    let map = server.store.0.borrow();
    assert_eq!(map.len(), 3);
    for (key, value) in map.iter() {
        let text = format!("{key}{}", String::from_utf8_lossy(value));
        assert!(key.starts_with("throttle/") && key.len() < 60, "{key}");
        assert!(!text.contains("user") && !text.contains("example") && !text.contains("192"), "{text}");
    }
}

#[test]
fn counters_expire_after_their_window() {
    let mut server = Server::new();
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    let over = |server: &Server| {
        let now = server.now.unix_millis();
        let mut expired: Vec<_> = server
            .counters()
            .into_iter()
            .filter(|(_, expires_at)| *expires_at <= now)
            .map(|(limit, _)| limit)
            .collect();
        expired.sort();
        expired
    };
    assert_eq!(over(&server), [""; 0]);
    server.wait(15 * 60);
    assert_eq!(over(&server), ["address"]);
    server.wait(24 * 60 * 60);
    assert_eq!(over(&server), ["account", "address", "pair"]);
}

#[test]
fn an_unreadable_counter_counts_nothing() {
    let server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    server.store.0.borrow_mut().values_mut().for_each(|value| *value = b"?".to_vec());
    assert_eq!(server.succeed("a", "::1"), Ok(()));
}

#[test]
fn success_ends_only_its_own_pause() {
    let server = Server::new();
    for account in 0..98 {
        assert_eq!(server.fail(&account.to_string(), "192.0.2.1"), Ok(()));
    }
    let own = server.begin("own", "192.0.2.1").ok().unwrap();
    // While the right password is checked, a wrong one for another account reaches the limit.
    assert_eq!(server.fail("another", "192.0.2.1"), Ok(()));
    own.succeeded();
    assert_eq!(server.fail("another", "192.0.2.1"), Err(30));
}

#[test]
fn a_cancelled_attempt_counts_nothing() {
    let server = Server::new();
    for _ in 0..200 {
        assert_eq!(server.attempt("a", "192.0.2.1", |attempt| attempt.cancel()), Ok(()));
    }
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
}

#[test]
fn attempts_that_arrive_out_of_order_are_not_paused() {
    let mut server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
        server.now = server.now.before(Duration::from_millis(1));
    }
}

#[test]
fn a_clock_that_is_set_back_leaves_no_pause_longer_than_the_longest() {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let mut server = Server::new();
    server.wait(YEAR);
    for _ in 0..10 {
        assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    }
    server.turn_back(YEAR);
    assert_eq!(server.fail("a", "192.0.2.1"), Err(900));
    // The pause goes by although nobody fails.
    server.wait(899);
    assert_eq!(server.succeed("a", "192.0.2.1"), Err(1));
    server.wait(1);
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()), "the eleventh failure");
    assert_eq!(server.fail("a", "192.0.2.1"), Err(60));
    server.wait(24 * 60 * 60);
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()), "all is forgotten");
}

#[test]
fn a_clock_that_is_set_back_leaves_no_longer_pause_at_a_guessed_account() {
    let mut server = Server::new();
    server.wait(3600);
    for address in 0..100 {
        assert_eq!(server.fail("a", &format!("192.0.2.{address}")), Ok(()));
    }
    assert_eq!(server.fail("a", "203.0.113.1"), Ok(()));
    server.turn_back(3600);
    assert_eq!(server.fail("a", "203.0.113.1"), Err(30));
}

#[test]
fn an_attack_from_ever_new_addresses_does_not_fill_the_store() {
    const SHARDS: usize = 4096;
    let (mut server, attempts) = (Server::new(), 17_280_u64);
    for number in 0..attempts {
        assert_eq!(
            server.fail(&number.to_string(), &format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff)),
            Ok(())
        );
        server.wait(5 * 24 * 60 * 60 / attempts);
    }
    assert!(server.store.0.borrow().len() <= 3 * SHARDS);
    let pairs = server.counters().iter().filter(|(limit, _)| limit == "pair").count();
    // What has failed within a day, and one more in each shard that was left alone since.
    assert!(pairs < 17_280 / 5 + SHARDS, "{pairs}");
}

#[test]
fn a_pause_of_a_second_lasts_a_second() {
    let mut server = Server::new();
    server.now = server.now.after(Duration::from_millis(900));
    for address in 0..100 {
        assert_eq!(server.fail("a", &format!("192.0.2.{address}")), Ok(()));
    }
    assert_eq!(server.fail("a", "203.0.113.1"), Ok(()));
    server.now = server.now.after(Duration::from_millis(999));
    assert_eq!(server.fail("a", "203.0.113.1"), Err(1));
}

#[test]
fn an_ipv6_64_is_one_network() {
    assert_eq!(network(Some("2001:db8:1:2:3:4:5:6")), network(Some("2001:db8:1:2::1")));
    assert_ne!(network(Some("2001:db8:1:2::1")), network(Some("2001:db8:1:3::1")));
    assert_eq!(network(Some("::ffff:192.0.2.1")), "192.0.2.1");
    assert_ne!(network(None), network(Some("192.0.2.1")));
}

#[test]
fn success_does_not_extend_the_window() {
    let mut server = Server::new();
    for account in 0..99 {
        assert_eq!(server.fail(&account.to_string(), "192.0.2.1"), Ok(()));
    }
    server.wait(15 * 60 - 1);
    // The hundredth attempt begins a pause beyond the window, and ends it by being right.
    assert_eq!(server.succeed("own", "192.0.2.1"), Ok(()));
    server.wait(2);
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
}
