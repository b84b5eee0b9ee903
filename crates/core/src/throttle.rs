//! Rate limiting of password guesses (ASVS 5.0, 6.3.1) that cannot lock an owner out.
//!
//! An attempt is counted before the password is checked, so that simultaneous guesses count, and taken back if the
//! password was right. Three counters apply, each with its [`FailureLimit`]: account and network together, the network, and the
//! account. The first two pause further attempts, and every failure after a pause doubles it. The third never blocks an
//! account: a network that has failed there itself waits longer, the owner's network does not.
//!
//! Counters are stored under keyed hashes, which reveal neither e-mail nor IP addresses.

mod counter;

use std::net::IpAddr;

use lanterne_database::Timestamp;

use self::counter::Counter;
pub use self::counter::{ACCOUNT, ADDRESS, FailureLimit, PAIR, PAUSE_MAX, PAUSE_MIN, Pause};
use crate::token::Keys;

/// The prefix of all keys.
const KEY_PREFIX: &str = "throttle/";

/// A store of counters that all instances of the server share.
pub trait CounterStore {
    /// Replaces the value of `key` by the result of `change`, atomically; `None` keeps the value. Calls `change` again if
    /// another change came first.
    ///
    /// # Errors
    /// The store failed, which the implementation has logged.
    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Unavailable>;

    /// Removes `key`.
    ///
    /// # Errors
    /// The store failed, which the implementation has logged.
    fn delete(&self, key: &str) -> Result<(), Unavailable>;
}

/// Computes a new value from the current one.
pub type Change<'a> = dyn FnMut(Option<&[u8]>) -> Option<Vec<u8>> + 'a;

/// The store failed. Logins continue without being counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// A password check that counts as a failure until it succeeds.
pub struct Attempt<'a> {
    counted: Option<Counted<'a>>,
}

/// The counters of an attempt, and the ends of the pauses that it began.
struct Counted<'a> {
    store: &'a dyn CounterStore,
    keys: CounterKeys,
    address_paused_until: i64,
    pair_paused_until: i64,
}

struct CounterKeys {
    pair: String,
    address: String,
    account: String,
}

/// Why an attempt was not counted.
enum NotCounted {
    Paused(Pause),
    Unavailable,
}

impl From<Unavailable> for NotCounted {
    fn from(Unavailable: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl<'a> Attempt<'a> {
    /// Counts an attempt at the account with this normalized address, which need not exist, from an IP `address`.
    ///
    /// # Errors
    /// Attempts are paused.
    pub fn begin(
        store: &'a dyn CounterStore,
        keys: &Keys,
        email: &str,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Pause> {
        let network = network(address);
        let key = |counter: &str, parts: &[&str]| format!("{KEY_PREFIX}{counter}/{}", keys.fingerprint(parts));
        let keys = CounterKeys {
            pair: key("pair", &[email, &network]),
            address: key("address", &[&network]),
            account: key("account", &[email]),
        };
        match Counted::new(store, keys, now.unix_millis()) {
            Ok(counted) => Ok(Self { counted: Some(counted) }),
            Err(NotCounted::Paused(pause)) => Err(pause),
            Err(NotCounted::Unavailable) => Ok(Self::uncounted()),
        }
    }

    /// Returns an attempt that is not counted, for a server without throttle.
    #[must_use]
    pub fn uncounted() -> Self {
        Self { counted: None }
    }

    /// Takes the attempt back and forgets the account's failures: the password was right. The network keeps its failures at
    /// other accounts.
    // A counter that cannot be changed now expires later; the store has logged it.
    pub fn succeeded(self) {
        let Some(Counted { store, keys, address_paused_until, .. }) = self.counted else { return };
        let _ = store.delete(&keys.pair);
        let _ = store.delete(&keys.account);
        let _ = take_back(store, &keys.address, address_paused_until);
    }

    /// Takes the attempt back: it was not a wrong guess, or an internal error left its outcome unknown.
    pub fn cancel(self) {
        let Some(Counted { store, keys, address_paused_until, pair_paused_until }) = self.counted else { return };
        let _ = take_back(store, &keys.pair, pair_paused_until);
        let _ = take_back(store, &keys.address, address_paused_until);
        let _ = take_back(store, &keys.account, 0);
    }
}

impl<'a> Counted<'a> {
    /// Counts an attempt in all three counters, or in none if attempts are paused.
    fn new(store: &'a dyn CounterStore, keys: CounterKeys, now: i64) -> Result<Self, NotCounted> {
        let address_paused_until = count(store, &keys.address, &ADDRESS, now, 0)?;
        let read = |key: &str, limit| update(store, key, |stored| (None, Counter::read(stored, limit, now).count));
        let is_guessed_at = read(&keys.account, &ACCOUNT)? >= ACCOUNT.failures;
        let pause_min = if is_guessed_at { counter::pause_at_guessed_account(read(&keys.pair, &PAIR)?) } else { 0 };
        let pair_paused_until = match count(store, &keys.pair, &PAIR, now, pause_min) {
            Err(NotCounted::Paused(pause)) => {
                take_back(store, &keys.address, address_paused_until)?;
                return Err(NotCounted::Paused(pause));
            }
            counted => counted?,
        };
        // An account has no pause of its own.
        update(store, &keys.account, |stored| {
            let mut counter = Counter::read(stored, &ACCOUNT, now);
            counter.count = counter.count.saturating_add(1);
            (Some(counter.write()), ())
        })?;
        Ok(Self { store, keys, address_paused_until, pair_paused_until })
    }
}

/// Counts an attempt in one counter; returns the end of the pause that it begins, 0 without one.
fn count(
    store: &dyn CounterStore,
    key: &str,
    limit: &FailureLimit,
    now: i64,
    pause_min: i64,
) -> Result<i64, NotCounted> {
    let outcome = update(store, key, |stored| {
        let mut counter = Counter::read(stored, limit, now);
        let outcome = counter.attempt(limit, now, pause_min);
        let is_unchanged = outcome.is_err_and(|pause| !pause.is_first_refusal);
        ((!is_unchanged).then(|| counter.write()), outcome)
    })?;
    outcome.map_err(NotCounted::Paused)
}

fn take_back(store: &dyn CounterStore, key: &str, paused_until: i64) -> Result<(), Unavailable> {
    update(store, key, |stored| (Counter::parse(stored).map(|counter| counter.take_back(paused_until).write()), ()))
}

/// Calls [`CounterStore::update`] with a change that also returns an outcome.
fn update<T>(
    store: &dyn CounterStore,
    key: &str,
    change: impl Fn(Option<&[u8]>) -> (Option<Vec<u8>>, T),
) -> Result<T, Unavailable> {
    let mut outcome = None;
    store.update(key, &mut |stored| {
        let (value, result) = change(stored);
        outcome = Some(result);
        value
    })?;
    outcome.ok_or(Unavailable)
}

/// The network an address belongs to: an IPv4 address, or an IPv6 /64 (RFC 6177).
fn network(address: Option<&str>) -> String {
    let Some(address) = address else { return "unknown".to_owned() };
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(address) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests;
