//! A client that requests `GET /healthz` during a fault.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use bench::client::Client;
use bench::load::quantile;
use bench::pace::{Pace, sleep_until};

/// The number of requests per second.
const RATE: f64 = 200.0;

/// A running client.
pub(crate) struct HealthProbe {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl HealthProbe {
    /// Starts to request.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let is_over_there = is_over.clone();
        Self { is_over, thread: thread::spawn(move || watch(server, &is_over_there)) }
    }

    /// Ends the requests and returns the 99th percentile of their latencies.
    pub(crate) fn finish(self) -> Result<Duration> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut latencies = self.thread.join().map_err(|_| anyhow!("the probe panicked"))?;
        ensure!(latencies.len() >= 100, "only {} requests for /healthz", latencies.len());
        latencies.sort_unstable();
        quantile(&latencies, 0.99).context("there are latencies")
    }
}

/// Requests until `is_over`, and returns the latencies, counted from the scheduled times. A request that fails is
/// repeated at once: its latency ends with the first reply.
fn watch(server: SocketAddr, is_over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::new(server);
    let pace = Pace::new(RATE);
    let mut latencies = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let scheduled = pace.take();
        sleep_until(scheduled);
        while !is_over.load(Ordering::Relaxed) && !client.get("/healthz", None).is_ok_and(|reply| reply.status == 200) {
            thread::sleep(Duration::from_millis(1));
        }
        latencies.push(scheduled.elapsed());
    }
    latencies
}
