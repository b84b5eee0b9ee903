//! A cache of recent pauses in the key-value store. Each attempt takes the only write lock of the database; refusals from it
//! do not.
//!
//! An entry counts for [`LIFETIME`], since the pause may end early. It is stored in one of 4096 places and replaces what was
//! there. So the store needs no housekeeping, and all of its content may be lost.

use std::time::Duration;

use lanterne_database::BoxFuture;

use super::{Pause, Paused};

/// How long an entry is valid.
const LIFETIME: Duration = Duration::from_secs(1);
/// The characters of a fingerprint, each of 6 bits, that choose the place.
const PLACE_CHARS: usize = 2;

/// A store shared by all instances of the server, which may lose entries.
pub trait Cache {
    /// Reads the values of two keys. What cannot be read is missing.
    fn get<'a>(&'a self, keys: [&'a str; 2]) -> BoxFuture<'a, [Option<Vec<u8>>; 2]>;

    /// Writes a value, if the store can be written to.
    fn set<'a>(&'a self, key: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()>;
}

/// Returns the pause of one of two counters.
pub(super) async fn find(cache: &dyn Cache, counters: [&str; 2], now: i64) -> Option<Pause> {
    let places = counters.map(place);
    let values = cache.get([&places[0], &places[1]]).await;
    counters.iter().zip(values).find_map(|(counter, value)| parse(&value?, counter, now))
}

/// Stores a pause.
pub(super) async fn store(cache: &dyn Cache, paused: &Paused<'_>, now: i64) {
    cache.set(&place(paused.key), format!("{} {} {now}", paused.key, paused.until).as_bytes()).await;
}

/// Forgets the pause of a counter, and those that have the same place.
pub(super) async fn forget(cache: &dyn Cache, counter: &str) {
    cache.set(&place(counter), b"").await;
}

/// Returns the key in the store for that of a counter, `LIMIT/FINGERPRINT`.
fn place(counter: &str) -> String {
    let fingerprint = counter.split('/').next_back().unwrap_or_default();
    format!("paused/{}", fingerprint.get(..PLACE_CHARS).unwrap_or_default())
}

/// Reads an entry, unless it is that of another counter, too old, or from a clock that was set back.
fn parse(value: &[u8], counter: &str, now: i64) -> Option<Pause> {
    let mut words = std::str::from_utf8(value).ok()?.split(' ');
    let (key, until, seen_at) = (words.next()?, words.next()?.parse::<i64>().ok()?, words.next()?.parse::<i64>().ok()?);
    let age = u128::try_from(now.checked_sub(seen_at)?).ok()?;
    (key == counter && age < LIFETIME.as_millis() && until > now).then(|| Pause::until(until, now, false))
}
