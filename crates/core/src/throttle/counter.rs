//! A failure counter with exponential back-off.
//!
//! Times are Unix time in milliseconds: in whole seconds, a short pause could end at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How many failures are allowed in which time.
pub struct FailureLimit {
    /// The number of failures that begins a pause.
    pub failures: u32,
    /// The lifetime of a counter from its first failure.
    pub window: Duration,
}

/// Failures at one account from one network.
pub const PAIR: FailureLimit = FailureLimit { failures: 10, window: Duration::from_secs(24 * 60 * 60) };
/// Failures from one network.
pub const ADDRESS: FailureLimit = FailureLimit { failures: 100, window: Duration::from_secs(15 * 60) };
/// Failures at one account.
pub const ACCOUNT: FailureLimit = FailureLimit { failures: 100, window: Duration::from_secs(24 * 60 * 60) };

/// The first pause; each further one is twice as long.
pub const PAUSE_MIN: Duration = Duration::from_secs(30);
/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest pause at an account that many networks guess at.
const GUESSED_ACCOUNT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// A counter as it is stored, in JSON. The command `prune` reads `expires_at`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counter {
    /// The failures so far.
    pub(super) count: u32,
    /// The end of the window.
    window_ends_at: i64,
    /// The end of the window, or of the pause if that is later.
    pub(super) expires_at: i64,
    /// The end of the pause; 0 without one.
    paused_until: i64,
    /// Whether an attempt was refused in this pause.
    has_refused: bool,
}

/// The rest of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The remaining seconds, rounded up.
    pub seconds: u64,
    /// Whether this is the first refusal of the pause: only that one is audited, so that a flood cannot fill the log.
    pub is_first_refusal: bool,
}

impl Counter {
    /// Reads a stored counter; starts a new one if there is none, or it has expired.
    pub(super) fn read(stored: Option<&[u8]>, limit: &FailureLimit, now: i64) -> Self {
        let current = Self::parse(stored).filter(|counter| now < counter.expires_at);
        current.unwrap_or_else(|| {
            let window_ends_at = now.saturating_add(millis(limit.window));
            Self { window_ends_at, expires_at: window_ends_at, ..Self::default() }
        })
    }

    /// Reads a stored counter, expired or not.
    pub(super) fn parse(stored: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(stored?).ok()
    }

    /// Serializes the counter.
    pub(super) fn write(&self) -> Vec<u8> {
        // Numbers and a flag: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Counts an attempt, unless attempts are paused. Returns the end of the pause that it begins, which lasts at least
    /// `pause_min` milliseconds, or 0 without one: `now` would pause a request with a slightly earlier time.
    pub(super) fn attempt(&mut self, limit: &FailureLimit, now: i64, pause_min: i64) -> Result<i64, Pause> {
        if now < self.paused_until {
            let is_first_refusal = !std::mem::replace(&mut self.has_refused, true);
            let seconds = (self.paused_until - now).unsigned_abs().div_ceil(SECOND.unsigned_abs());
            return Err(Pause { seconds, is_first_refusal });
        }
        self.count = self.count.saturating_add(1);
        let pause = pause(self.count, limit.failures).max(pause_min);
        self.pause_until(if pause > 0 { now + pause } else { 0 });
        self.has_refused = false;
        Ok(self.paused_until)
    }

    /// Takes an attempt back, with the pause until `paused_until` that it began; a pause of another attempt stays.
    pub(super) fn take_back(mut self, paused_until: i64) -> Self {
        self.count = self.count.saturating_sub(1);
        if self.paused_until == paused_until {
            self.pause_until(0);
        }
        self
    }

    fn pause_until(&mut self, end: i64) {
        self.paused_until = end;
        self.expires_at = self.window_ends_at.max(end);
    }
}

/// The pause after `count` failures, in milliseconds: none below the limit, then doubling.
fn pause(count: u32, limit: u32) -> i64 {
    let Some(excess) = count.checked_sub(limit) else { return 0 };
    (millis(PAUSE_MIN) << excess.min(10)).min(millis(PAUSE_MAX))
}

/// The pause for a network after a failure at an account that many networks guess at, in milliseconds: one second, doubled
/// by each failure of its own there.
pub(super) fn pause_at_guessed_account(own_failures: u32) -> i64 {
    (SECOND << own_failures.min(10)).min(millis(GUESSED_ACCOUNT_PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use super::{SECOND, pause, pause_at_guessed_account};

    #[test]
    fn pauses_double_up_to_a_bound_without_overflow() {
        let pauses = [0, 9, 10, 11, 14, 15, 74, u32::MAX].map(|count| pause(count, 10) / SECOND);
        assert_eq!(pauses, [0, 0, 30, 60, 480, 900, 900, 900]);
        let pauses = [0, 1, 4, 5, 63, u32::MAX].map(|count| pause_at_guessed_account(count) / SECOND);
        assert_eq!(pauses, [1, 2, 16, 30, 30, 30]);
    }
}
