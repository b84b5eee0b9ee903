//! Requests at fixed times, whether or not the former ones were answered in time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A schedule of requests, which clients share. A latency that counts from the scheduled time includes the wait for
/// delayed requests before it.
pub struct Pace {
    start: Instant,
    interval: Duration,
    taken: AtomicU32,
}

impl Pace {
    /// Begins a schedule now.
    #[must_use]
    pub fn new(requests_per_second: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / requests_per_second);
        Self { start: Instant::now(), interval, taken: AtomicU32::new(0) }
    }

    /// Takes the next request, and returns its scheduled time.
    pub fn take(&self) -> Instant {
        self.start + self.interval * self.taken.fetch_add(1, Ordering::Relaxed)
    }
}

/// Sleeps until `time`.
pub fn sleep_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}
