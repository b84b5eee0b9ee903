//! The limits, and how long attempts pause.

use std::time::Duration;

/// A limit: a number of attempts within a time window.
#[derive(Debug)]
pub struct AttemptLimit {
    /// The beginning of the keys of its counters.
    pub(super) name: &'static str,
    /// The number of attempts that begins a pause.
    pub attempts: u32,
    /// The lifetime of a counter from its first attempt.
    pub window: Duration,
    /// Whether its pauses double, instead of lasting for the rest of the window.
    pub(super) is_of_guesses: bool,
}

/// Failures at one account from one network.
pub const PAIR: AttemptLimit =
    AttemptLimit { name: "pair", attempts: 10, window: Duration::from_secs(24 * 60 * 60), is_of_guesses: true };
/// Failures from one network.
pub const ADDRESS: AttemptLimit =
    AttemptLimit { name: "address", attempts: 100, window: Duration::from_secs(15 * 60), is_of_guesses: true };
/// Failures at one account.
pub const ACCOUNT: AttemptLimit =
    AttemptLimit { name: "account", attempts: 100, window: Duration::from_secs(24 * 60 * 60), is_of_guesses: true };
/// Registrations from one network.
pub const REGISTRATIONS: AttemptLimit =
    AttemptLimit { name: "register", attempts: 60, window: Duration::from_secs(60), is_of_guesses: false };
/// Refreshes from one network, which may have many users.
pub const REFRESHES: AttemptLimit =
    AttemptLimit { name: "refresh", attempts: 600, window: Duration::from_secs(60), is_of_guesses: false };
/// Requests for messages, and uses of their tokens, from one network.
pub const RECOVERIES: AttemptLimit =
    AttemptLimit { name: "recover", attempts: 60, window: Duration::from_secs(15 * 60), is_of_guesses: false };

/// The first pause; each further one is twice as long.
pub const PAUSE_MIN: Duration = Duration::from_secs(30);
/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);
/// The first pause of a network that fails at an account that many networks guess at; each further one is twice as long.
const GUESSED_ACCOUNT_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause at an account that many networks guess at.
const GUESSED_ACCOUNT_PAUSE_MAX: Duration = Duration::from_secs(30);

impl AttemptLimit {
    /// Returns the window in milliseconds.
    pub(crate) fn window_millis(&self) -> i64 {
        millis(self.window)
    }

    /// Returns the longest pause that a counter with `count` attempts can begin, in milliseconds.
    pub(super) fn pause_max(&self, count: i64) -> i64 {
        if !self.is_of_guesses {
            return self.window_millis();
        }
        millis(if count < i64::from(self.attempts) { GUESSED_ACCOUNT_PAUSE_MAX } else { PAUSE_MAX })
    }
}

/// Returns the SQL of the pause after the `count`th failure, in milliseconds: 0 below the limit, then doubling.
pub(super) fn doubling_pause(limit: &AttemptLimit) -> String {
    let (attempts, min, max) = (limit.attempts, millis(PAUSE_MIN), millis(PAUSE_MAX));
    format!("iif(count >= {attempts}, min({min} << min(count - {attempts}, 10), {max}), 0)")
}

/// Returns the SQL of the pause after the `count`th failure at an account that many networks guess at, in milliseconds: none is
/// so long that it would keep the owner out.
pub(super) fn pause_at_guessed_account() -> String {
    let (min, max) = (millis(GUESSED_ACCOUNT_PAUSE_MIN), millis(GUESSED_ACCOUNT_PAUSE_MAX));
    format!("min({min} << min(count - 1, 10), {max})")
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
