//! Clients that request `GET /healthz` during a fault.

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

/// The number of clients that share them: one that waits for a reply does not delay the next request.
const CLIENTS: usize = 32;

/// The running clients.
pub(crate) struct HealthProbe {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Duration>>>,
}

impl HealthProbe {
    /// Starts to request.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let pace = Arc::new(Pace::new(RATE));
        let start = |_| {
            let (is_over, pace) = (is_over.clone(), pace.clone());
            thread::spawn(move || watch(server, &pace, &is_over))
        };
        let threads = (0..CLIENTS).map(start).collect();
        Self { is_over, threads }
    }

    /// Ends the requests and returns the 99th percentile of their latencies.
    pub(crate) fn finish(self) -> Result<Duration> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for thread in self.threads {
            latencies.extend(thread.join().map_err(|_| anyhow!("the probe panicked"))?);
        }
        ensure!(latencies.len() >= 100, "only {} requests for /healthz", latencies.len());
        latencies.sort_unstable();
        quantile(&latencies, 0.99).context("there are latencies")
    }
}

/// Requests until `is_over`, and returns the latencies, counted from the scheduled times. A request that fails is
/// repeated at once: its latency ends with the first reply.
fn watch(server: SocketAddr, pace: &Pace, is_over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::new(server);
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
