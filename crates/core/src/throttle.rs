//! Rate limiting of password guesses (ASVS 5.0, 6.3.1) that cannot lock an owner out.
//!
//! An attempt is counted before the password is checked, so that simultaneous guesses count, and taken back if the
//! password was right. Three counters apply, each with its [`AttemptLimit`]: account and network together, the network,
//! and the account. The first two pause further attempts, and every failure after a pause doubles it. The third never
//! blocks an account: a network that has failed there itself waits longer, the owner's network does not.
//!
//! Registrations, refreshes and requests for messages are not guesses, but they write: [`admit`] limits their rate per
//! network. [`forgive`] forgets the failures at an account whose owner has set a new password.
//!
//! Counters are stored under keyed hashes, which reveal neither e-mail nor IP addresses, in shards that forget expired
//! ones.

mod counter;
mod shard;

use std::net::IpAddr;

use lanterne_database::Timestamp;

use self::counter::Counter;
pub use self::counter::{
    ACCOUNT, ADDRESS, AttemptLimit, PAIR, PAUSE_MAX, PAUSE_MIN, Pause, RECOVERIES, REFRESHES, REGISTRATIONS,
};
use self::shard::{Place, Shard};
use crate::token::Keys;

/// A store of counters that all instances of the server share.
pub trait CounterStore {
    /// Replaces the value of `key` by the result of `change`, atomically; `None` keeps the value. Calls `change` again if
    /// another change came first.
    ///
    /// # Errors
    /// The store failed, which the implementation has logged.
    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Unavailable>;
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
    counters: Counters<'a>,
    pair: Place,
    address: Place,
    account: Place,
    address_paused_until: i64,
    pair_paused_until: i64,
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
        let counters = Counters { store, now: now.unix_millis() };
        match Counted::new(counters, keys, email, &network(address)) {
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

    /// Takes the attempt back and forgets the account's failures: the password was right. The network keeps its
    /// failures at other accounts.
    // A counter that cannot be changed now expires later; the store has logged it.
    pub fn succeeded(self) {
        let Some(Counted { counters, pair, address, account, address_paused_until, .. }) = self.counted else { return };
        let _ = counters.change(&pair, &PAIR, |counter| *counter = Counter::default());
        let _ = counters.change(&account, &ACCOUNT, |counter| *counter = Counter::default());
        let _ = counters.change(&address, &ADDRESS, |counter| counter.take_back(address_paused_until));
    }

    /// Takes the attempt back: it was not a wrong guess, or a fault of the server left its outcome unknown.
    pub fn cancel(self) {
        let Some(counted) = self.counted else { return };
        let Counted { counters, pair, address, account, address_paused_until, pair_paused_until } = counted;
        let _ = counters.change(&pair, &PAIR, |counter| counter.take_back(pair_paused_until));
        let _ = counters.change(&address, &ADDRESS, |counter| counter.take_back(address_paused_until));
        let _ = counters.change(&account, &ACCOUNT, |counter| counter.take_back(0));
    }
}

impl<'a> Counted<'a> {
    /// Counts an attempt in all three counters, or in none.
    fn new(counters: Counters<'a>, keys: &Keys, email: &str, network: &str) -> Result<Self, NotCounted> {
        let pair = Place::new(keys, &PAIR, &[email, network]);
        let address = Place::new(keys, &ADDRESS, &[network]);
        let account = Place::new(keys, &ACCOUNT, &[email]);
        let address_paused_until = counters.attempt(&address, &ADDRESS, 0)?;
        let read = |place: &Place, limit: &AttemptLimit| counters.change(place, limit, |counter| counter.count);
        let is_guessed_at = read(&account, &ACCOUNT)? >= ACCOUNT.attempts;
        let pause_min = if is_guessed_at { counter::pause_at_guessed_account(read(&pair, &PAIR)?) } else { 0 };
        let pair_paused_until = match counters.attempt(&pair, &PAIR, pause_min) {
            Err(NotCounted::Paused(pause)) => {
                counters.change(&address, &ADDRESS, |counter| counter.take_back(address_paused_until))?;
                return Err(NotCounted::Paused(pause));
            }
            counted => counted?,
        };
        // An account has no pause of its own.
        counters.change(&account, &ACCOUNT, |counter| counter.count = counter.count.saturating_add(1))?;
        Ok(Self { counters, pair, address, account, address_paused_until, pair_paused_until })
    }
}

/// Counts an attempt from an IP `address` against the limit of its network, whatever the outcome. If the store fails, the
/// attempt goes uncounted.
///
/// # Errors
/// The limit is reached until the window ends.
pub fn admit(
    store: &dyn CounterStore,
    keys: &Keys,
    limit: &AttemptLimit,
    address: Option<&str>,
    now: Timestamp,
) -> Result<(), Pause> {
    let counters = Counters { store, now: now.unix_millis() };
    let place = Place::new(keys, limit, &[&network(address)]);
    counters.change(&place, limit, |counter| counter.admit(limit, counters.now)).unwrap_or(Ok(()))
}

/// Forgets the failures at the account with this normalized address: in total, and those from the network of an IP `address`.
// A counter that cannot be changed now expires later; the store has logged it.
pub fn forgive(store: &dyn CounterStore, keys: &Keys, email: &str, address: Option<&str>, now: Timestamp) {
    let counters = Counters { store, now: now.unix_millis() };
    let pair = Place::new(keys, &PAIR, &[email, &network(address)]);
    let _ = counters.change(&pair, &PAIR, |counter| *counter = Counter::default());
    let account = Place::new(keys, &ACCOUNT, &[email]);
    let _ = counters.change(&account, &ACCOUNT, |counter| *counter = Counter::default());
}

/// The stored counters at one moment, in Unix milliseconds.
struct Counters<'a> {
    store: &'a dyn CounterStore,
    now: i64,
}

impl Counters<'_> {
    /// Counts an attempt in one counter; returns the end of the pause that it begins, 0 without one.
    fn attempt(&self, place: &Place, limit: &AttemptLimit, pause_min: i64) -> Result<i64, NotCounted> {
        let outcome = self.change(place, limit, |counter| counter.attempt(limit, self.now, pause_min))?;
        outcome.map_err(NotCounted::Paused)
    }

    /// Changes one counter; returns the outcome of `change`, which may be called several times.
    fn change<T>(
        &self,
        place: &Place,
        limit: &AttemptLimit,
        change: impl Fn(&mut Counter) -> T,
    ) -> Result<T, Unavailable> {
        let mut outcome = None;
        self.store.update(&place.shard, &mut |stored| {
            let mut shard = Shard::parse(stored);
            let (result, is_changed) = shard.change(place, limit, self.now, &change);
            outcome = Some(result);
            is_changed.then(|| shard.write())
        })?;
        outcome.ok_or(Unavailable)
    }
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
