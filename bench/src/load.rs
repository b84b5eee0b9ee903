//! Loads on a server: closed loops, which measure throughput, and constant rates, which measure latency.

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::pace::{Pace, sleep_until};
use crate::user::{Request, User};

/// How long a client waits after an error, so that a broken server is not flooded.
const ERROR_PAUSE: Duration = Duration::from_millis(20);
/// How long after the end of a constant rate overdue requests are still sent.
const OVERDUE_MAX: Duration = Duration::from_secs(10);

/// The replies to a load.
#[derive(Default)]
pub struct Outcome {
    /// The latencies of successful requests, in ascending order.
    pub latencies: Vec<Duration>,
    /// The number of requests that failed, or that were never sent because the server was too slow.
    pub errors: usize,
    /// The first error.
    pub first_error: Option<anyhow::Error>,
    /// The time until the last reply.
    pub elapsed: Duration,
}

impl Outcome {
    /// Returns the number of successful requests per second.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the latency in milliseconds that this share of the requests did not exceed.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&self.latencies, share).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// Returns the value that this share of the sorted values does not exceed.
#[must_use]
pub fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Lets each user send a request after the other, for the duration `time`.
///
/// # Errors
/// A client panicked.
pub fn closed(users: &mut [User], request: Request, time: Duration) -> Result<Outcome> {
    let end = Instant::now() + time;
    run(users, request, || Some(Instant::now()).filter(|now| *now < end))
}

/// Sends `rate` requests per second for the duration `time`, each by a user that has no other in flight. A latency counts
/// from the time when the request was due: if the server stalls, it includes the wait of those behind.
///
/// # Errors
/// A client panicked.
pub fn constant(users: &mut [User], request: Request, rate: f64, time: Duration) -> Result<Outcome> {
    let end = Instant::now() + time;
    let pace = Pace::new(rate);
    let mut outcome = run(users, request, || {
        let due = Some(pace.take()).filter(|due| *due < end && Instant::now() < end + OVERDUE_MAX)?;
        sleep_until(due);
        Some(due)
    })?;
    outcome.errors = ((rate * time.as_secs_f64()) as usize).saturating_sub(outcome.latencies.len());
    Ok(outcome)
}

/// Sends requests of all users, each as soon as `next` returns.
fn run(users: &mut [User], request: Request, next: impl Fn() -> Option<Instant> + Sync) -> Result<Outcome> {
    let start = Instant::now();
    let mut total = Outcome::default();
    thread::scope(|scope| {
        let threads: Vec<_> = users.iter_mut().map(|user| scope.spawn(|| send_all(user, request, &next))).collect();
        for thread in threads {
            let outcome = thread.join().map_err(|_| anyhow!("a client panicked"))?;
            total.latencies.extend(outcome.latencies);
            total.errors += outcome.errors;
            total.first_error = total.first_error.take().or(outcome.first_error);
        }
        anyhow::Ok(())
    })?;
    total.elapsed = start.elapsed();
    total.latencies.sort_unstable();
    Ok(total)
}

fn send_all(user: &mut User, request: Request, next: impl Fn() -> Option<Instant>) -> Outcome {
    // By default Linux may end a sleep 50 microseconds late. That would only raise all latencies: ignore a failure.
    let _ = rustix::thread::set_current_timer_slack(NonZero::new(1));
    let mut outcome = Outcome::default();
    while let Some(due) = next() {
        if let Err(error) = user.send(request) {
            outcome.errors += 1;
            outcome.first_error.get_or_insert(error);
            thread::sleep(ERROR_PAUSE);
        } else {
            outcome.latencies.push(due.elapsed());
        }
    }
    outcome
}
