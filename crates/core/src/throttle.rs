//! Rate limiting of password guesses (ASVS 5.0, 6.3.1) that cannot lock an owner out.
//!
//! An attempt is counted before the password is checked, so that simultaneous guesses count, and taken back if the
//! password was right. Three counters apply, each with its [`AttemptLimit`]: account and network together, the network,
//! and the account. The first two pause further attempts, and every failure after a pause doubles it. The third never
//! blocks an account: a network that has failed there itself waits longer, the owner's network does not.
//!
//! Registrations, refreshes and requests for messages are not guesses, but they write: [`admit`] limits their rate per network;
//! a refresh counts itself ([`crate::token_pairs::refresh`]). [`forgive`] forgets the failures at an account whose owner has
//! set a new password.
//!
//! Each step is one statement, so that it is atomic on every database. The keys of the counters are keyed hashes, which reveal
//! neither e-mail nor IP addresses. Recent pauses are also kept in a [`Cache`].

mod cache;
mod counters;
mod limits;

use std::net::IpAddr;

use lanterne_database::{Connection, Error, Timestamp};

pub use self::cache::Cache;
use self::counters::{Counters, Released};
pub use self::limits::{
    ACCOUNT, ADDRESS, AttemptLimit, PAIR, PAUSE_MAX, PAUSE_MIN, RECOVERIES, REFRESHES, REGISTRATIONS,
};
use crate::token::Keys;

const MILLIS_PER_SECOND: u64 = 1000;

/// The rest of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The remaining seconds, rounded up.
    pub seconds: u64,
    /// Whether this is the first refusal of the pause: only that one is audited, so that a flood cannot fill the log.
    pub is_first_refusal: bool,
}

impl Pause {
    /// Returns the rest of a pause at a time, both in Unix milliseconds.
    fn until(end: i64, now: i64, is_first_refusal: bool) -> Self {
        let millis = end.saturating_sub(now).unsigned_abs();
        Self { seconds: millis.div_ceil(MILLIS_PER_SECOND), is_first_refusal }
    }
}

/// A paused counter.
struct Paused<'a> {
    key: &'a str,
    /// The end of the pause, in Unix milliseconds.
    until: i64,
    is_first_refusal: bool,
}

/// A password check that counts as a failure until it succeeds.
#[derive(Debug, Default)]
pub struct Attempt {
    /// `None` on a server without throttle.
    pub(crate) counted: Option<Counted>,
}

/// The counters of an attempt, and the ends of the pauses that it began, in Unix milliseconds; 0 without one.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) pair: String,
    pub(crate) address: String,
    pub(crate) account: String,
    pub(crate) address_paused_until: i64,
    pair_paused_until: i64,
}

impl Attempt {
    /// Counts an attempt at the account with this normalized address, which need not exist, from an IP `address`. The inner
    /// result is the pause in which attempts are refused.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin(
        db: &dyn Connection,
        cache: &dyn Cache,
        keys: &Keys,
        email: &str,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<Self, Pause>, Error> {
        let network = network(address);
        let pair = key(keys, &PAIR, &[email, &network]);
        let address = key(keys, &ADDRESS, &[&network]);
        let account = key(keys, &ACCOUNT, &[email]);
        let now = now.unix_millis();
        if let Some(pause) = cache::find(cache, [&address, &pair], now).await {
            return Ok(Err(pause));
        }
        let paused = match (Counters { db, now }).attempt(&pair, &address, &account).await? {
            Ok([pair_paused_until, address_paused_until]) => {
                let counted = Counted { pair, address, account, address_paused_until, pair_paused_until };
                return Ok(Ok(Self { counted: Some(counted) }));
            }
            Err(paused) => paused,
        };
        cache::store(cache, &paused, now).await;
        Ok(Err(Pause::until(paused.until, now, paused.is_first_refusal)))
    }

    /// Takes the attempt back and forgets the account's failures: the password was right. The network keeps its
    /// failures at other accounts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn succeeded(self, db: &dyn Connection, cache: &dyn Cache) -> Result<(), Error> {
        let Some(Counted { pair, address, account, address_paused_until, .. }) = &self.counted else { return Ok(()) };
        let address = Released::TakenBack(address, *address_paused_until);
        counters::release(db, [Released::Forgotten(pair), Released::Forgotten(account), address]).await?;
        self.forget_pauses(cache).await;
        Ok(())
    }

    /// Forgets the pauses that the attempt began, once it is taken back: they may have refused others.
    pub(crate) async fn forget_pauses(&self, cache: &dyn Cache) {
        let Some(Counted { pair, address, address_paused_until, pair_paused_until, .. }) = &self.counted else {
            return;
        };
        for (counter, paused_until) in [(pair, *pair_paused_until), (address, *address_paused_until)] {
            if paused_until > 0 {
                cache::forget(cache, counter).await;
            }
        }
    }

    /// Takes the attempt back: it was not a wrong guess, or a fault of the server left its outcome unknown.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cancel(self, db: &dyn Connection, cache: &dyn Cache) -> Result<(), Error> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let Counted { pair, address, account, address_paused_until, pair_paused_until } = counted;
        counters::release(
            db,
            [
                Released::TakenBack(pair, *pair_paused_until),
                Released::TakenBack(account, 0),
                Released::TakenBack(address, *address_paused_until),
            ],
        )
        .await?;
        self.forget_pauses(cache).await;
        Ok(())
    }
}

/// Counts a request from an IP `address` against the limit of its network, whatever the outcome. The inner result is the pause
/// until the window ends.
///
/// # Errors
/// The database failed.
pub async fn admit(
    db: &dyn Connection,
    keys: &Keys,
    limit: &AttemptLimit,
    address: Option<&str>,
    now: Timestamp,
) -> Result<Result<(), Pause>, Error> {
    let (key, now) = (network_key(keys, limit, address), now.unix_millis());
    let admitted = Counters { db, now }.admit(limit, &key).await?;
    Ok(admitted.map_err(|paused| Pause::until(paused.until, now, paused.is_first_refusal)))
}

/// Forgets the failures at the account with this normalized address: in total, and those from the network of an IP `address`.
///
/// # Errors
/// The database failed.
pub async fn forgive(
    db: &dyn Connection,
    cache: &dyn Cache,
    keys: &Keys,
    email: &str,
    address: Option<&str>,
) -> Result<(), Error> {
    let pair = key(keys, &PAIR, &[email, &network(address)]);
    let account = key(keys, &ACCOUNT, &[email]);
    counters::release(db, [Released::Forgotten(&pair), Released::Forgotten(&account)]).await?;
    cache::forget(cache, &pair).await;
    Ok(())
}

/// Returns the key of the counter of `limit` for the network of an IP `address`.
pub(crate) fn network_key(keys: &Keys, limit: &AttemptLimit, address: Option<&str>) -> String {
    key(keys, limit, &[&network(address)])
}

/// Returns the key of the counter of `limit` for `parts`, which the keyed hash hides.
fn key(keys: &Keys, limit: &AttemptLimit, parts: &[&str]) -> String {
    format!("{}/{}", limit.name, keys.fingerprint(parts))
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
