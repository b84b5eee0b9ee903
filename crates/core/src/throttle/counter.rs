//! One thing that is counted: up to which number nothing happens, and how long the pauses beyond it are.
//!
//! Times are milliseconds since 1970: of whole seconds a short pause could be over at once.

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1000;

/// The number from which on there are pauses, and for how long a counter is remembered from the first time on.
pub(super) struct Rule {
    pub(super) limit: u32,
    window: i64,
}

/// Wrong passwords for one account from one address.
pub(super) const PAIR: Rule = Rule { limit: 10, window: 24 * 60 * 60 * SECOND };
/// Wrong passwords from one address, for any accounts.
pub(super) const ADDRESS: Rule = Rule { limit: 100, window: 15 * 60 * SECOND };
/// Wrong passwords for one account, from any addresses.
pub(super) const ACCOUNT: Rule = Rule { limit: 100, window: 24 * 60 * 60 * SECOND };

/// The first pause beyond a limit; every further one is twice as long.
const PAUSE_MIN: i64 = 30 * SECOND;
/// The longest pause.
const PAUSE_MAX: i64 = 15 * 60 * SECOND;
/// The longest pause that an address has because of what others did.
const PAUSE_BY_OTHERS_MAX: i64 = 30 * SECOND;

/// What is kept of one thing that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) count: u32,
    /// When it was counted first.
    since: i64,
    /// Until when the pause lasts.
    until: i64,
    /// Whether anybody was told of the pause.
    told: bool,
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

impl Counter {
    /// Reads what is kept; begins anew if it counts no more.
    pub(super) fn read(kept: Option<&[u8]>, rule: &Rule, now: i64) -> Self {
        let current = kept.and_then(|bytes| Self::read_current(bytes, rule, now));
        current.unwrap_or(Self { since: now, ..Self::default() })
    }

    /// Reads what is kept, unless it counts no more.
    pub(super) fn read_current(kept: &[u8], rule: &Rule, now: i64) -> Option<Self> {
        let counter = serde_json::from_slice::<Self>(kept).ok()?;
        let is_current = now < counter.until || now < counter.since.saturating_add(rule.window);
        is_current.then_some(counter)
    }

    /// What to keep.
    pub(super) fn write(&self) -> Vec<u8> {
        // Numbers and a flag: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Counts an attempt, unless there is a pause. One that reaches the limit begins a pause, of at least `pause_min`;
    /// returns until when, 0 if there is none: `now` would be a pause to a request that came a moment earlier.
    pub(super) fn attempt(&mut self, rule: &Rule, now: i64, pause_min: i64) -> Result<i64, Pause> {
        if now < self.until {
            let is_first = !std::mem::replace(&mut self.told, true);
            let begun_seconds = (self.until - now + SECOND - 1) / SECOND;
            return Err(Pause { seconds: begun_seconds, is_first });
        }
        self.count = self.count.saturating_add(1);
        let pause = pause(self.count, rule.limit).max(pause_min);
        self.until = if pause > 0 { now + pause } else { 0 };
        self.told = false;
        Ok(self.until)
    }

    /// Takes an attempt back, with the pause that it began; one that another attempt has begun since stays.
    pub(super) fn take_back(self, until: i64) -> Self {
        let is_own = self.until == until;
        Self { count: self.count.saturating_sub(1), until: if is_own { 0 } else { self.until }, ..self }
    }
}

/// The pause after so many failures: none below the limit, then doubling.
fn pause(count: u32, limit: u32) -> i64 {
    let Some(beyond) = count.checked_sub(limit) else { return 0 };
    (PAUSE_MIN << beyond.min(10)).min(PAUSE_MAX)
}

/// The pause that an address gets for its next wrong password for an account that many have guessed at: a second, twice
/// as long for each time that it was wrong there itself.
pub(super) fn pause_by_others(own_count: u32) -> i64 {
    (SECOND << own_count.min(10)).min(PAUSE_BY_OTHERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::{SECOND, pause, pause_by_others};

    #[test]
    fn pauses_double_up_to_a_bound_and_do_not_overflow() {
        let pauses = [0, 9, 10, 11, 14, 15, 74, u32::MAX].map(|count| pause(count, 10) / SECOND);
        assert_eq!(pauses, [0, 0, 30, 60, 480, 900, 900, 900]);
        assert_eq!([0, 1, 4, 5, 63, u32::MAX].map(|count| pause_by_others(count) / SECOND), [1, 2, 16, 30, 30, 30]);
    }
}
