//! Counters that are stored together, as one value of the key-value store.
//!
//! A key-value store can find expired entries only by listing all of its keys. Within a shard they are at hand: whoever
//! changes a counter removes the expired ones beside it. So the store holds a fixed number of keys and little more than
//! the counters that count, however many addresses an attack comes from, and without any housekeeping.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counter::{AttemptLimit, Counter};
use crate::token::Keys;

/// The characters of a fingerprint, each of 6 bits, that choose the shard: 4096 shards for each limit.
const SHARD_CHARS: usize = 2;
/// The most counters in a shard, some 60 KiB. Two million in all shards are more failures than a server can compare
/// passwords for in a day.
const COUNTERS_MAX: usize = 512;

/// Where a counter is stored.
pub(super) struct Place {
    /// The key of the shard in the key-value store.
    pub(super) shard: String,
    /// The key of the counter within the shard.
    name: String,
}

impl Place {
    /// Returns the place of the counter of `limit` for `parts`, which the keyed hash hides.
    pub(super) fn new(keys: &Keys, limit: &AttemptLimit, parts: &[&str]) -> Self {
        let mut shard = keys.fingerprint(parts);
        let name = shard.split_off(SHARD_CHARS);
        Self { shard: format!("throttle/{}/{shard}", limit.name), name }
    }
}

/// The counters of one limit whose fingerprints begin alike, in JSON. The command `prune` reads them.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Shard(BTreeMap<String, Counter>);

impl Shard {
    /// Parses a stored shard. An unreadable one is treated as empty.
    pub(super) fn parse(stored: Option<&[u8]>) -> Self {
        stored.and_then(|stored| serde_json::from_slice(stored).ok()).unwrap_or_default()
    }

    /// Serializes the shard.
    pub(super) fn write(&self) -> Vec<u8> {
        // A map of numbers and flags: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Changes the counter at `place`, which begins anew if there is none or it has expired. Returns the outcome, and
    /// whether the shard must be stored.
    pub(super) fn change<T>(
        &mut self,
        place: &Place,
        limit: &AttemptLimit,
        now: i64,
        change: impl Fn(&mut Counter) -> T,
    ) -> (T, bool) {
        let stored = self.0.get(&place.name).cloned();
        self.0.values_mut().for_each(|counter| counter.cap(limit, now));
        self.0.retain(|_, counter| now < counter.expires_at());
        let mut counter = self.0.remove(&place.name).unwrap_or_else(|| Counter::new(limit, now));
        let outcome = change(&mut counter);
        let counter = Some(counter).filter(Counter::counts);
        let is_changed = counter != stored;
        if let Some(counter) = counter {
            self.make_room();
            self.0.insert(place.name.clone(), counter);
        }
        (outcome, is_changed)
    }

    /// Removes the counter that expires first from a full shard.
    fn make_room(&mut self) {
        if self.0.len() < COUNTERS_MAX {
            return;
        }
        let first = self.0.iter().min_by_key(|(_, counter)| counter.expires_at()).map(|(name, _)| name.clone());
        if let Some(name) = first {
            self.0.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::counter::PAIR;
    use super::{COUNTERS_MAX, Counter, Place, Shard};

    fn count(shard: &mut Shard, name: &str, now: i64) -> bool {
        let place = Place { shard: String::new(), name: name.to_owned() };
        shard.change(&place, &PAIR, now, |counter| counter.attempt(&PAIR, now, 0)).1
    }

    fn names(shard: &Shard) -> Vec<&str> {
        shard.0.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_change_removes_expired_counters() {
        let mut shard = Shard::default();
        assert!(count(&mut shard, "a", 0));
        assert!(count(&mut shard, "b", 1));
        assert!(count(&mut shard, "c", 24 * 60 * 60 * 1000));
        assert_eq!(names(&shard), ["b", "c"]);
    }

    #[test]
    fn a_full_shard_forgets_the_counter_that_expires_first() {
        let mut shard = Shard::default();
        for now in 0..=COUNTERS_MAX {
            count(&mut shard, &format!("{now:04}"), now.try_into().unwrap());
        }
        assert_eq!(shard.0.len(), COUNTERS_MAX);
        assert_eq!(names(&shard)[0], "0001");
    }

    #[test]
    fn a_counter_that_counts_nothing_is_not_stored() {
        let (mut shard, place) = (Shard::default(), Place { shard: String::new(), name: "a".to_owned() });
        assert_eq!(shard.change(&place, &PAIR, 0, |counter| counter.count), (0, false));
        count(&mut shard, "a", 0);
        assert_eq!(shard.change(&place, &PAIR, 0, |counter| counter.count), (1, false));
        assert_eq!(shard.change(&place, &PAIR, 0, |counter| *counter = Counter::default()), ((), true));
        assert!(shard.0.is_empty());
    }

    #[test]
    fn a_shard_is_read_as_it_was_written() {
        let mut shard = Shard::default();
        count(&mut shard, "a", 0);
        assert_eq!(Shard::parse(Some(&shard.write())).0, shard.0);
        for unreadable in [None, Some("?"), Some(r#"{"count": 3, "expires_at": 9}"#)] {
            assert!(Shard::parse(unreadable.map(str::as_bytes)).0.is_empty(), "{unreadable:?}");
        }
    }
}
