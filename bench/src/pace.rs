//! Requests at fixed times, whether or not the former ones were answered in time.

use std::thread;
use std::time::{Duration, Instant};

/// The schedule of a client's requests. A latency counted from the scheduled time includes what a request waited for
/// the delayed ones before it.
pub struct Pace {
    next: Instant,
    interval: Duration,
}

impl Pace {
    /// Begins a schedule now.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { next: Instant::now(), interval }
    }

    /// Waits for the next scheduled time, and returns it.
    pub fn wait(&mut self) -> Instant {
        let scheduled = self.next;
        self.next += self.interval;
        thread::sleep(scheduled.saturating_duration_since(Instant::now()));
        scheduled
    }
}
