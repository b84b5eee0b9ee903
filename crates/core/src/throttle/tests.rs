use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::ready;
use std::time::Duration;

use futures_lite::future::block_on;
use lanterne_database::{BoxFuture, Row, SqliteFile, Timestamp};

use super::{Attempt, Cache, Pause, network};
use crate::token::{Key, Keys, Scope};

/// A key-value store.
#[derive(Default)]
struct Map {
    values: RefCell<HashMap<String, Vec<u8>>>,
    /// Whether it has lost everything.
    is_gone: Cell<bool>,
}

impl Cache for Map {
    fn get<'a>(&'a self, keys: [&'a str; 2]) -> BoxFuture<'a, [Option<Vec<u8>>; 2]> {
        let values = self.values.borrow();
        Box::pin(ready(keys.map(|key| values.get(key).filter(|_| !self.is_gone.get()).cloned())))
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        self.values.borrow_mut().insert(key.to_owned(), value.to_owned());
        Box::pin(ready(()))
    }
}

/// A server with its clock.
struct Server {
    db: SqliteFile,
    cache: Map,
    keys: Keys,
    now: Timestamp,
}

impl Server {
    fn new() -> Self {
        let secret = b"0123456789abcdef0123456789abcdef";
        let keys = Keys::new(secret, Key::hs256(secret), Vec::new(), Scope::default());
        let db = SqliteFile::in_memory().unwrap();
        db.with(|db| db.execute_batch(include_str!("../../../../migrations/schema.sql"))).unwrap();
        Self { db, cache: Map::default(), keys, now: Timestamp::from_unix(1_800_000_000).unwrap() }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn turn_back(&mut self, seconds: u64) {
        self.now = self.now.before(Duration::from_secs(seconds));
    }

    /// The keys of the stored counters, whether they count or not.
    fn counters(&self) -> Vec<String> {
        let rows = self.db.query_now("SELECT key FROM throttle ORDER BY key", vec![]).unwrap();
        rows.iter().map(|row: &Row| row.get(0).unwrap()).collect()
    }

    /// Sends a wrong password; `Err` is the remaining pause in seconds.
    fn fail(&self, email: &str, address: &str) -> Result<(), u64> {
        self.begin(email, address).map(drop).map_err(|pause| pause.seconds)
    }

    fn succeed(&self, email: &str, address: &str) -> Result<(), u64> {
        let attempt = self.begin(email, address).map_err(|pause| pause.seconds)?;
        block_on(attempt.succeeded(&self.db, &self.cache)).unwrap();
        Ok(())
    }

    fn begin(&self, email: &str, address: &str) -> Result<Attempt, Pause> {
        block_on(Attempt::begin(&self.db, &self.cache, &self.keys, email, Some(address), self.now)).unwrap()
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
    let told = |_| server.begin("a", "192.0.2.1").unwrap_err().is_first_refusal;
    assert_eq!([0, 1, 2].map(told), [true, false, false]);
    for account in 0..90 {
        assert_eq!(server.fail(&account.to_string(), "192.0.2.1"), Ok(()));
    }
    assert_eq!(server.fail("b", "192.0.2.1"), Err(30), "ten and ninety");
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
    block_on(own.succeeded(&server.db, &server.cache)).unwrap();
    assert_eq!(server.fail("another", "192.0.2.1"), Err(30));
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

#[test]
fn stored_counters_reveal_no_address() {
    let server = Server::new();
    assert_eq!(server.fail("user@example.com", "192.0.2.1"), Ok(()));
    let counters = server.counters();
    assert_eq!(counters.len(), 3);
    for (key, limit) in counters.iter().zip(["account", "address", "pair"]) {
        assert!(key.starts_with(limit) && key.len() <= 40, "{key}");
        assert!(!key.contains("user") && !key.contains("example") && !key.contains("192"), "{key}");
    }
}

#[test]
fn a_cancelled_attempt_counts_nothing() {
    let server = Server::new();
    for _ in 0..200 {
        let attempt = server.begin("a", "192.0.2.1").unwrap();
        block_on(attempt.cancel(&server.db, &server.cache)).unwrap();
    }
    assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
}

#[test]
fn a_counter_begins_anew_after_its_window() {
    let mut server = Server::new();
    for _ in 0..9 {
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    server.wait(24 * 60 * 60);
    for _ in 0..10 {
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    assert_eq!(server.fail("a", "::1"), Err(30));
}

#[test]
fn expired_counters_leave_with_new_ones() {
    let (mut server, attempts) = (Server::new(), 4000_u64);
    for number in 0..attempts {
        assert_eq!(server.fail(&number.to_string(), &format!("2001:db8:0:{number:x}::1")), Ok(()));
        server.wait(4 * 24 * 60 * 60 / attempts);
    }
    // A day of pairs and accounts, and a quarter of an hour of networks.
    let count = server.counters().len();
    assert!(count < 2 * 1000 + 50, "{count}");
}

#[test]
fn a_flood_of_refused_attempts_does_not_reach_the_database() {
    let mut server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    }
    assert_eq!(server.fail("a", "192.0.2.1"), Err(30));
    server.db.with(|db| db.execute_batch("ALTER TABLE throttle RENAME TO hidden")).unwrap();
    server.now = server.now.after(Duration::from_millis(999));
    assert_eq!(server.fail("a", "192.0.2.1"), Err(30));
    server.db.with(|db| db.execute_batch("ALTER TABLE hidden RENAME TO throttle")).unwrap();
    // The pause may have ended meanwhile.
    server.db.with(|db| db.execute_batch("UPDATE throttle SET paused_until = 0")).unwrap();
    server.now = server.now.after(Duration::from_millis(1));
    assert_eq!(server.succeed("a", "192.0.2.1"), Ok(()));
}

#[test]
fn the_cache_may_be_lost_or_hold_anything() {
    let server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    assert_eq!(server.fail("a", "::1"), Err(30));
    assert_eq!(server.cache.values.borrow().len(), 1);
    server.cache.is_gone.set(true);
    assert_eq!(server.fail("a", "::1"), Err(30));
    server.cache.is_gone.set(false);
    for value in ["", "?", "pair/x 9 9", "pair/x 99999999999999999999 9", "pair/x -1 -9223372036854775808"] {
        server.cache.values.borrow_mut().values_mut().for_each(|stored| *stored = value.into());
        assert_eq!(server.fail("a", "::1"), Err(30), "{value}");
    }
}

#[test]
fn pauses_of_other_counters_do_not_count() {
    let server = Server::new();
    for _ in 0..10 {
        assert_eq!(server.fail("a", "192.0.2.1"), Ok(()));
    }
    assert_eq!(server.fail("a", "192.0.2.1"), Err(30));
    let value = server.cache.values.borrow().values().next().cloned().unwrap();
    // As if all counters had the same place.
    for number in 0..64_u32.pow(2) {
        const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let [high, low] = [number / 64, number % 64].map(|index| char::from(CHARS[index as usize]));
        server.cache.values.borrow_mut().insert(format!("paused/{high}{low}"), value.clone());
    }
    assert_eq!(server.fail("b", "192.0.2.1"), Ok(()));
    assert_eq!(server.fail("a", "192.0.2.2"), Ok(()));
}

#[test]
fn a_right_password_ends_its_pause_at_once() {
    let server = Server::new();
    for _ in 0..9 {
        assert_eq!(server.fail("a", "::1"), Ok(()));
    }
    let right = server.begin("a", "::1").unwrap();
    assert_eq!(server.fail("a", "::1"), Err(30), "while the tenth is being checked");
    block_on(right.succeeded(&server.db, &server.cache)).unwrap();
    assert_eq!(server.succeed("a", "::1"), Ok(()));
}
