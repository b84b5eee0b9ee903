//! A client that requests `GET /healthz` during a fault.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use bench::api::ApiClient;
use bench::pace::Pace;

/// The time from one request to the next: 200 requests per second.
const INTERVAL: Duration = Duration::from_millis(5);

/// A running client.
pub(crate) struct Witness {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Witness {
    /// Starts to request.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let is_over_there = is_over.clone();
        Self { is_over, thread: thread::spawn(move || watch(server, &is_over_there)) }
    }

    /// Ends the requests and returns the 99th percentile of their latencies.
    ///
    /// # Errors
    /// There were too few requests.
    pub(crate) fn finish(self) -> Result<Duration> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut latencies = self.thread.join().map_err(|_| anyhow!("the witness panicked"))?;
        ensure!(latencies.len() >= 100, "only {} requests for /healthz", latencies.len());
        latencies.sort_unstable();
        Ok(latencies[latencies.len() * 99 / 100])
    }
}

/// Requests until `is_over`, and returns the latencies, counted from the scheduled times. A request that fails is
/// repeated at once: its latency ends with the first reply.
fn watch(server: SocketAddr, is_over: &AtomicBool) -> Vec<Duration> {
    let client = ApiClient::new(server);
    let mut pace = Pace::new(INTERVAL);
    let mut latencies = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let scheduled: Instant = pace.wait();
        while !is_over.load(Ordering::Relaxed) && !client.get("/healthz", None).is_ok_and(|reply| reply.status == 200) {
            thread::sleep(Duration::from_millis(1));
        }
        latencies.push(scheduled.elapsed());
    }
    latencies
}
