//! Slowing down whoever guesses passwords (ASVS 5.0, 6.3.1), without letting them lock anybody out.
//!
//! An attempt is counted before the password is looked at, so that many at once count as many, and uncounted if it was
//! right. Ten wrong passwords for one account from one address cost a pause, and so do a hundred from one address within
//! a quarter of an hour; each one after a pause doubles it. An account that many addresses guess at is not closed: but
//! an address that was wrong there once has to wait some seconds, and its owner, who is right at once, does not notice.
//!
//! What is counted stands under keyed hashes: neither addresses of mail nor of machines can be read off them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::accounts::Context;
use crate::timestamp::Timestamp;

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

/// What is counted, up to which number nothing happens, and for how long it is remembered from the first time on.
struct Rule {
    limit: u32,
    window_secs: i64,
}

/// Wrong passwords for one account from one address.
const PAIR: Rule = Rule { limit: 10, window_secs: 24 * 60 * 60 };
/// Wrong passwords from one address, for any accounts.
const ADDRESS: Rule = Rule { limit: 100, window_secs: 15 * 60 };
/// Wrong passwords for one account, from any addresses.
const ACCOUNT: Rule = Rule { limit: 100, window_secs: 24 * 60 * 60 };

/// The first pause beyond a limit; every further one is twice as long.
const PAUSE_MIN_SECS: i64 = 30;
/// The longest pause.
const PAUSE_MAX_SECS: i64 = 15 * 60;
/// The longest pause that an address has because of what others did.
const PAUSE_BY_OTHERS_MAX_SECS: i64 = 30;

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
    Counter::read_current(kept, &rule, now.unix()).is_none()
}

/// What is kept of one thing that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counter {
    count: u32,
    /// When it was counted first, in seconds since 1970.
    since: i64,
    /// Until when the pause lasts, likewise.
    until: i64,
    /// Whether the pause was told to anybody.
    told: bool,
}

impl Counter {
    /// Reads what is kept; begins anew if it counts no more.
    fn read(kept: Option<&[u8]>, rule: &Rule, now: i64) -> Self {
        let current = kept.and_then(|bytes| Self::read_current(bytes, rule, now));
        current.unwrap_or(Self { since: now, ..Self::default() })
    }

    fn read_current(kept: &[u8], rule: &Rule, now: i64) -> Option<Self> {
        let counter = serde_json::from_slice::<Self>(kept).ok()?;
        let is_current = now < counter.until || now < counter.since.saturating_add(rule.window_secs);
        is_current.then_some(counter)
    }

    fn write(&self) -> Vec<u8> {
        // Numbers and a flag: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Counts an attempt, unless there is a pause; a limit that is reached by it begins one.
    fn attempt(&mut self, rule: &Rule, now: i64, pause_secs_min: i64) -> Result<(), Pause> {
        if now < self.until {
            let is_first = !std::mem::replace(&mut self.told, true);
            return Err(Pause { seconds: self.until - now, is_first });
        }
        self.count = self.count.saturating_add(1);
        self.until = now + pause_secs(self.count, rule.limit).max(pause_secs_min);
        self.told = false;
        Ok(())
    }
}

/// The pause after so many failures: none below the limit, then doubling.
fn pause_secs(count: u32, limit: u32) -> i64 {
    let Some(beyond) = count.checked_sub(limit) else { return 0 };
    let doubled = 1_i64.checked_shl(beyond).and_then(|factor| PAUSE_MIN_SECS.checked_mul(factor));
    doubled.filter(|pause| (1..PAUSE_MAX_SECS).contains(pause)).unwrap_or(PAUSE_MAX_SECS)
}

/// For how long an attempt came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How many seconds are left.
    pub seconds: i64,
    /// Whether nobody was told of this pause before: only then it is worth a line in the audit log, which hammering must
    /// not fill.
    pub is_first: bool,
}

/// An attempt to show a password, which counts as a failure until it succeeds.
pub struct Attempt<'a> {
    counted: Option<(&'a dyn Memory, Keys)>,
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
    match count(context.memory, &keys, context.now) {
        Ok(Ok(())) => Ok(Attempt { counted: Some((context.memory, keys)) }),
        Ok(Err(pause)) => Err(pause),
        Err(Unavailable) => Ok(Attempt { counted: None }),
    }
}

impl Attempt<'_> {
    /// The password was right: the account's failures are forgotten. The address keeps those for other accounts, since
    /// one's own password is no excuse for guessing at others'.
    pub fn succeeded(self) {
        let Some((memory, Keys { pair, address, account })) = self.counted else { return };
        // What cannot be forgotten now is so later: the log knows of it.
        let _ = memory.delete(&pair);
        let _ = memory.delete(&account);
        let _ = uncount(memory, &address);
    }
}

/// Counts an attempt in all three places, or in none.
fn count(memory: &dyn Memory, keys: &Keys, now: Timestamp) -> Result<Result<(), Pause>, Unavailable> {
    let now = now.unix();
    if let Err(pause) = count_one(memory, &keys.address, &ADDRESS, now, 0)? {
        return Ok(Err(pause));
    }
    let pair_pause_min = pause_by_others(memory, keys, now)?;
    if let Err(pause) = count_one(memory, &keys.pair, &PAIR, now, pair_pause_min)? {
        uncount(memory, &keys.address)?;
        return Ok(Err(pause));
    }
    // An account has no pause of its own.
    update(memory, &keys.account, |kept| {
        let mut counter = Counter::read(kept, &ACCOUNT, now);
        counter.count = counter.count.saturating_add(1);
        (Some(counter.write()), ())
    })?;
    Ok(Ok(()))
}

fn count_one(
    memory: &dyn Memory,
    key: &str,
    rule: &Rule,
    now: i64,
    pause_secs_min: i64,
) -> Result<Result<(), Pause>, Unavailable> {
    update(memory, key, |kept| {
        let mut counter = Counter::read(kept, rule, now);
        let outcome = counter.attempt(rule, now, pause_secs_min);
        let is_known = outcome.is_err_and(|pause| !pause.is_first);
        ((!is_known).then(|| counter.write()), outcome)
    })
}

/// The pause that an address gets for the next wrong password, if many have guessed at the account: some seconds, the
/// longer the more often it was wrong itself.
fn pause_by_others(memory: &dyn Memory, keys: &Keys, now: i64) -> Result<i64, Unavailable> {
    let seen = |key: &str, rule| update(memory, key, |kept| (None, Counter::read(kept, rule, now).count));
    if seen(&keys.account, &ACCOUNT)? < ACCOUNT.limit {
        return Ok(0);
    }
    let own = seen(&keys.pair, &PAIR)?;
    Ok(1_i64.checked_shl(own).unwrap_or(PAUSE_BY_OTHERS_MAX_SECS).clamp(1, PAUSE_BY_OTHERS_MAX_SECS))
}

/// Takes one attempt back.
fn uncount(memory: &dyn Memory, key: &str) -> Result<(), Unavailable> {
    update(memory, key, |kept| {
        let counter = kept.and_then(|bytes| serde_json::from_slice::<Counter>(bytes).ok());
        let less = counter.map(|counter| Counter { count: counter.count.saturating_sub(1), until: 0, ..counter });
        (less.map(|counter| counter.write()), ())
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
