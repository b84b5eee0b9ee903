//! Slowing down whoever guesses passwords (ASVS 5.0, 6.3.1), without letting them lock anybody out.
//!
//! An attempt is counted before the password is looked at, so that many at once count as many, and uncounted if it was
//! right. Ten wrong passwords for one account from one address cost a pause, and so do a hundred from one address within
//! a quarter of an hour; each one after a pause doubles it. An account that many addresses guess at is not closed: but
//! an address that was wrong there once has to wait some seconds, and its owner, who is right at once, does not notice.
//!
//! What is counted stands under keyed hashes: neither addresses of mail nor of machines can be read off them.

mod counter;

use std::net::IpAddr;

use self::counter::{ACCOUNT, ADDRESS, Counter, PAIR, Rule};
use crate::accounts::Context;
use lanterne_database::Timestamp;

pub use self::counter::Pause;

/// Where the counters are kept, for all instances of the server together.
pub trait Memory {
    /// Replaces the value of `key` by what `change` makes of it, with no other change in between; `None` leaves it as it
    /// is. `change` is called again if another one was faster.
    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Unavailable>;

    /// Forgets `key`.
    fn delete(&self, key: &str) -> Result<(), Unavailable>;
}

/// What becomes of a value that is there, or not.
pub type Change<'a> = dyn FnMut(Option<&[u8]>) -> Option<Vec<u8>> + 'a;

/// The counters cannot be reached. Whoever implements [`Memory`] has said so in the log: logins go on without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// What all keys of counters begin with.
pub const KEY_PREFIX: &str = "throttle/";

/// Whether what is kept under `key` is a counter that counts no more.
#[must_use]
pub fn is_over(key: &str, kept: &[u8], now: Timestamp) -> bool {
    let kind = key.strip_prefix(KEY_PREFIX).and_then(|rest| rest.split('/').next());
    let rule = match kind {
        Some("pair") => PAIR,
        Some("address") => ADDRESS,
        Some("account") => ACCOUNT,
        _ => return false,
    };
    Counter::read_current(kept, &rule, now.unix_millis()).is_none()
}

/// An attempt to show a password, which counts as a failure until it succeeds.
pub struct Attempt<'a> {
    counted: Option<Counted<'a>>,
}

/// Where an attempt was counted, and until when the pauses last that it began.
struct Counted<'a> {
    memory: &'a dyn Memory,
    keys: Keys,
    address_until: i64,
    pair_until: i64,
}

/// Why an attempt was not counted.
enum Obstacle {
    Pause(Pause),
    Unavailable,
}

impl From<Unavailable> for Obstacle {
    fn from(Unavailable: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// Where the counters of an attempt stand.
struct Keys {
    pair: String,
    address: String,
    account: String,
}

/// Begins an attempt at the account of this normalised address, which need not exist.
///
/// # Errors
/// There is a pause.
pub fn begin<'a, C>(context: &Context<'a, C>, email: &str) -> Result<Attempt<'a>, Pause> {
    if !context.config.throttle {
        return Ok(Attempt { counted: None });
    }
    let network = network(context.client.address.as_deref());
    let key = |kind: &str, parts: &[&str]| format!("{KEY_PREFIX}{kind}/{}", context.config.keys.fingerprint(parts));
    let keys = Keys {
        pair: key("pair", &[email, &network]),
        address: key("address", &[&network]),
        account: key("account", &[email]),
    };
    match Counted::new(context.memory, keys, context.now.unix_millis()) {
        Ok(counted) => Ok(Attempt { counted: Some(counted) }),
        Err(Obstacle::Pause(pause)) => Err(pause),
        Err(Obstacle::Unavailable) => Ok(Attempt { counted: None }),
    }
}

// What cannot be forgotten now is so later, when its window is over; the log knows of it.
impl Attempt<'_> {
    /// The password was right: the account's failures are forgotten. The address keeps those for other accounts, since
    /// one's own password is no excuse for guessing at others'.
    pub fn succeeded(self) {
        let Some(Counted { memory, keys, address_until, .. }) = self.counted else { return };
        let _ = memory.delete(&keys.pair);
        let _ = memory.delete(&keys.account);
        let _ = take_back(memory, &keys.address, address_until);
    }

    /// Nobody knows whether the password was right: that was the server's fault, and is no failure.
    pub fn broke_off(self) {
        let Some(Counted { memory, keys, address_until, pair_until }) = self.counted else { return };
        let _ = take_back(memory, &keys.pair, pair_until);
        let _ = take_back(memory, &keys.address, address_until);
        let _ = take_back(memory, &keys.account, 0);
    }
}

impl<'a> Counted<'a> {
    /// Counts an attempt in all three places, or in none.
    fn new(memory: &'a dyn Memory, keys: Keys, now: i64) -> Result<Self, Obstacle> {
        let address_until = count(memory, &keys.address, &ADDRESS, now, 0)?;
        let seen = |key: &str, rule| update(memory, key, |kept| (None, Counter::read(kept, rule, now).count));
        let is_guessed_at = seen(&keys.account, &ACCOUNT)? >= ACCOUNT.limit;
        let pause_min = if is_guessed_at { counter::pause_by_others(seen(&keys.pair, &PAIR)?) } else { 0 };
        let pair_until = match count(memory, &keys.pair, &PAIR, now, pause_min) {
            Err(Obstacle::Pause(pause)) => {
                take_back(memory, &keys.address, address_until)?;
                return Err(Obstacle::Pause(pause));
            }
            counted => counted?,
        };
        // An account has no pause of its own.
        update(memory, &keys.account, |kept| {
            let mut counter = Counter::read(kept, &ACCOUNT, now);
            counter.count = counter.count.saturating_add(1);
            (Some(counter.write()), ())
        })?;
        Ok(Self { memory, keys, address_until, pair_until })
    }
}

/// Counts an attempt in one place; returns until when the pause lasts that it began.
fn count(memory: &dyn Memory, key: &str, rule: &Rule, now: i64, pause_min: i64) -> Result<i64, Obstacle> {
    let outcome = update(memory, key, |kept| {
        let mut counter = Counter::read(kept, rule, now);
        let outcome = counter.attempt(rule, now, pause_min);
        let is_known = outcome.is_err_and(|pause| !pause.is_first);
        ((!is_known).then(|| counter.write()), outcome)
    })?;
    outcome.map_err(Obstacle::Pause)
}

fn take_back(memory: &dyn Memory, key: &str, until: i64) -> Result<(), Unavailable> {
    update(memory, key, |kept| {
        let counter = kept.and_then(|bytes| serde_json::from_slice::<Counter>(bytes).ok());
        (counter.map(|counter| counter.take_back(until).write()), ())
    })
}

/// [`Memory::update`] with something to tell about the change that was made.
fn update<T>(
    memory: &dyn Memory,
    key: &str,
    change: impl Fn(Option<&[u8]>) -> (Option<Vec<u8>>, T),
) -> Result<T, Unavailable> {
    let mut told = None;
    memory.update(key, &mut |kept| {
        let (value, outcome) = change(kept);
        told = Some(outcome);
        value
    })?;
    told.ok_or(Unavailable)
}

/// Who counts as one: an IPv4 address; of IPv6 the network of 64 bits that a household has (RFC 6177).
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
