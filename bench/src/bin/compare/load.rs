//! Loads on a server: closed loops, which measure throughput, and constant rates, which measure latency.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bench::client::Client;
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::user::{Request, User};

/// How long a client waits for a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client waits after an error, so that a broken server does not get a storm.
const ERROR_PAUSE: Duration = Duration::from_millis(20);
/// How long after the end of a constant rate overdue requests are still sent.
const OVERDUE_MAX: Duration = Duration::from_secs(10);

/// The replies to a load.
pub(crate) struct Outcome {
    /// The latencies of successful requests, in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// The number of requests that failed, or that were never sent because the server was too slow.
    pub(crate) errors: u64,
    /// The first error.
    pub(crate) first_error: Option<anyhow::Error>,
    /// The time until the last reply.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    fn new() -> Result<Self> {
        Ok(Self { latencies: Histogram::new(3)?, errors: 0, first_error: None, elapsed: Duration::ZERO })
    }

    /// The number of successful requests per second.
    pub(crate) fn throughput(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency in milliseconds that this share of the requests did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1000.0
    }
}

/// When a client sends its next request.
#[derive(Clone)]
enum Pace {
    /// As soon as the last one was answered, until this time.
    Closed(Instant),
    /// When the next one is due.
    Constant(Arc<Schedule>),
}

/// Requests that are due at a constant rate, whether or not the server keeps up.
struct Schedule {
    start: Instant,
    period: Duration,
    count: u64,
    taken: AtomicU64,
    due: Semaphore,
}

/// Lets each user send a request after the other, for the duration `time`.
///
/// # Errors
/// The server does not accept connections.
pub(crate) async fn closed(
    address: SocketAddr,
    users: &mut Vec<User>,
    request: Request,
    time: Duration,
) -> Result<Outcome> {
    run(address, users, request, Pace::Closed(Instant::now() + time)).await
}

/// Sends `rate` requests per second for the duration `time`, each by a user that has no other in flight. A latency counts
/// from the time when the request was due: if the server stalls, it includes the wait of those behind.
///
/// # Errors
/// The server does not accept connections.
pub(crate) async fn constant(
    address: SocketAddr,
    users: &mut Vec<User>,
    request: Request,
    rate: f64,
    time: Duration,
) -> Result<Outcome> {
    let schedule = Schedule::start(rate, time, users.len());
    let mut outcome = run(address, users, request, Pace::Constant(schedule.clone())).await?;
    outcome.errors = schedule.count.saturating_sub(outcome.latencies.len());
    Ok(outcome)
}

async fn run(address: SocketAddr, users: &mut Vec<User>, request: Request, pace: Pace) -> Result<Outcome> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for user in users.drain(..) {
        tasks.spawn(send_all(address, user, request, pace.clone()));
    }
    let mut total = Outcome::new()?;
    while let Some(result) = tasks.join_next().await {
        let (user, outcome) = result??;
        users.push(user);
        total.latencies.add(&outcome.latencies)?;
        total.errors += outcome.errors;
        total.first_error = total.first_error.or(outcome.first_error);
    }
    total.elapsed = start.elapsed();
    Ok(total)
}

/// Sends the requests of one user over one connection.
async fn send_all(address: SocketAddr, mut user: User, request: Request, pace: Pace) -> Result<(User, Outcome)> {
    let mut outcome = Outcome::new()?;
    let mut client = Client::connect(address).await?;
    while let Some(due) = pace.next().await {
        let result = timeout(REPLY_TIMEOUT, user.send(request, &mut client)).await.context("no reply");
        if let Err(error) = result.flatten() {
            outcome.errors += 1;
            outcome.first_error.get_or_insert(error);
            sleep(ERROR_PAUSE).await;
            client = Client::connect(address).await?;
        } else {
            outcome.latencies.record(u64::try_from(due.elapsed().as_micros())?)?;
        }
    }
    Ok((user, outcome))
}

impl Pace {
    /// Waits until the next request is due; `None` at the end.
    async fn next(&self) -> Option<Instant> {
        match self {
            Self::Closed(end) => Some(Instant::now()).filter(|now| now < end),
            Self::Constant(schedule) => schedule.next().await,
        }
    }
}

impl Schedule {
    /// Starts the thread that releases requests. A thread, because timers of tokio are accurate to a millisecond only.
    fn start(rate: f64, time: Duration, clients: usize) -> Arc<Self> {
        let schedule = Arc::new(Self {
            start: Instant::now(),
            period: Duration::from_secs_f64(1.0 / rate),
            count: (rate * time.as_secs_f64()) as u64,
            taken: AtomicU64::new(0),
            due: Semaphore::new(0),
        });
        let released = schedule.clone();
        thread::spawn(move || released.release(clients));
        schedule
    }

    fn release(&self, clients: usize) {
        // By default Linux may end a sleep 50 microseconds late. That would only raise all latencies: ignore a failure.
        let _ = rustix::thread::set_current_timer_slack(NonZero::new(1));
        for number in 0..self.count {
            thread::sleep(self.due(number).saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        // Each client learns of the end.
        self.due.add_permits(clients);
    }

    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let due = Some(self.taken.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < self.count);
        due.map(|number| self.due(number)).filter(|_| self.due(self.count) + OVERDUE_MAX > Instant::now())
    }

    fn due(&self, number: u64) -> Instant {
        self.start + self.period.mul_f64(number as f64)
    }
}
