//! A counter of attempts, with exponential back-off.
//!
//! Times are Unix time in milliseconds: in whole seconds, a short pause could end at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A limit: a number of attempts within a time window.
pub struct AttemptLimit {
    /// The name of its counters in the key-value store.
    pub(super) name: &'static str,
    /// The number of attempts that begins a pause.
    pub attempts: u32,
    /// The lifetime of a counter from its first attempt.
    pub window: Duration,
}

/// Failures at one account from one network.
pub const PAIR: AttemptLimit = AttemptLimit { name: "pair", attempts: 10, window: Duration::from_secs(24 * 60 * 60) };
/// Failures from one network.
pub const ADDRESS: AttemptLimit = AttemptLimit { name: "address", attempts: 100, window: Duration::from_secs(15 * 60) };
/// Failures at one account.
pub const ACCOUNT: AttemptLimit =
    AttemptLimit { name: "account", attempts: 100, window: Duration::from_secs(24 * 60 * 60) };
/// Registrations from one network.
pub const REGISTRATIONS: AttemptLimit =
    AttemptLimit { name: "register", attempts: 60, window: Duration::from_secs(60) };
/// Refreshes from one network, which may have many users.
pub const REFRESHES: AttemptLimit = AttemptLimit { name: "refresh", attempts: 600, window: Duration::from_secs(60) };
/// Requests for messages, and uses of their tokens, from one network.
pub const RECOVERIES: AttemptLimit =
    AttemptLimit { name: "recover", attempts: 60, window: Duration::from_secs(15 * 60) };

/// The first pause; each further one is twice as long.
pub const PAUSE_MIN: Duration = Duration::from_secs(30);
/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest pause at an account that many networks guess at.
const GUESSED_ACCOUNT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// A counter as it is stored, in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counter {
    /// The attempts so far.
    pub(super) count: u32,
    /// The end of the window.
    window_ends_at: i64,
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
    /// Starts a window.
    pub(super) fn new(limit: &AttemptLimit, now: i64) -> Self {
        Self { window_ends_at: now.saturating_add(millis(limit.window)), ..Self::default() }
    }

    /// Returns when the window has ended, and the pause too.
    pub(super) fn expires_at(&self) -> i64 {
        self.window_ends_at.max(self.paused_until)
    }

    /// Shortens window and pause to the longest that can begin now: they began before the clock was set back.
    pub(super) fn cap(&mut self, limit: &AttemptLimit, now: i64) {
        let pause_max = if self.count < limit.attempts { GUESSED_ACCOUNT_PAUSE_MAX } else { PAUSE_MAX };
        self.paused_until = self.paused_until.min(now.saturating_add(millis(pause_max)));
        self.window_ends_at = self.window_ends_at.min(now.saturating_add(millis(limit.window)));
    }

    /// Returns whether the counter differs from a new one.
    pub(super) fn counts(&self) -> bool {
        self.count > 0 || self.paused_until > 0
    }

    /// Counts an attempt, unless attempts are paused. Returns the end of the pause that it begins, which lasts at least
    /// `pause_min` milliseconds, or 0 without one: `now` would pause a request with a slightly earlier time.
    pub(super) fn attempt(&mut self, limit: &AttemptLimit, now: i64, pause_min: i64) -> Result<i64, Pause> {
        if now < self.paused_until {
            return Err(self.refuse(self.paused_until - now));
        }
        self.count = self.count.saturating_add(1);
        let pause = pause(self.count, limit.attempts).max(pause_min);
        self.paused_until = if pause > 0 { now + pause } else { 0 };
        self.has_refused = false;
        Ok(self.paused_until)
    }

    /// Counts an attempt that is not a password guess. Once the limit is reached, pauses for the rest of the window
    /// instead.
    pub(super) fn admit(&mut self, limit: &AttemptLimit, now: i64) -> Result<(), Pause> {
        if self.count >= limit.attempts {
            return Err(self.refuse(self.window_ends_at - now));
        }
        self.count += 1;
        Ok(())
    }

    fn refuse(&mut self, remaining: i64) -> Pause {
        let is_first_refusal = !std::mem::replace(&mut self.has_refused, true);
        Pause { seconds: remaining.unsigned_abs().div_ceil(SECOND.unsigned_abs()), is_first_refusal }
    }

    /// Takes an attempt back, with the pause until `paused_until` that it began; a pause of another attempt stays.
    pub(super) fn take_back(&mut self, paused_until: i64) {
        self.count = self.count.saturating_sub(1);
        if self.paused_until == paused_until {
            self.paused_until = 0;
        }
    }
}

/// The pause after `count` failures, in milliseconds: none below the limit, then doubling.
fn pause(count: u32, limit: u32) -> i64 {
    let Some(excess) = count.checked_sub(limit) else { return 0 };
    (millis(PAUSE_MIN) << excess.min(10)).min(millis(PAUSE_MAX))
}

/// The pause for a network after a failure at an account that many networks guess at, in milliseconds: one second,
/// doubled by each failure of its own there.
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
