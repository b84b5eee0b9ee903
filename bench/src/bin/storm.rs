//! Measures the latency of requests while other clients log in:
//! `cargo run --release -p lanterne-bench --bin storm -- [URL [SECONDS]]`.
//!
//! Start a server with `cargo lanterne up --seed`. Two clients then send requests in a closed loop: `GET /healthz`,
//! `GET /users/me`, which reads session and account, and `GET /healthz` again while four other clients log in. If password
//! hashing blocks other requests, the last line shows it. Results depend on the machine: compare lines of one run.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

const REQUEST_CLIENTS: usize = 2;
const LOGIN_CLIENTS: usize = 4;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "http://127.0.0.1:8000".to_owned());
    let seconds = args.next().map_or(Ok(10), |seconds| seconds.parse()).context("SECONDS must be a whole number")?;
    let time = Duration::from_secs(seconds);

    let token = login(&ureq::agent(), &url).context("logging in as the seeded tester")?;
    println!("{:<38} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "req/s", "p50 ms", "p99 ms", "max ms", "logins/s");
    for (path, logging_in) in [("/healthz", 0), ("/users/me", 0), ("/healthz", LOGIN_CLIENTS)] {
        println!("{}", measure(path, &url, &token, time, logging_in)?);
    }
    Ok(())
}

/// Measures requests for `path` while `logging_in` clients log in; returns a line of the table.
fn measure(path: &str, url: &str, token: &str, time: Duration, logging_in: usize) -> anyhow::Result<String> {
    let stop = AtomicBool::new(false);
    let logins = AtomicUsize::new(0);
    let mut latencies: Vec<f64> = thread::scope(|scope| -> anyhow::Result<_> {
        for _ in 0..logging_in {
            scope.spawn(|| {
                let agent = ureq::agent();
                while !stop.load(Ordering::Relaxed) {
                    if login(&agent, url).is_ok() {
                        logins.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let clients = (0..REQUEST_CLIENTS).map(|_| scope.spawn(|| request(&format!("{url}{path}"), token, time)));
        let clients: Vec<_> = clients.collect();
        let latencies = clients.into_iter().map(|thread| match thread.join() {
            Ok(latencies) => latencies,
            Err(_) => anyhow::bail!("a client panicked"),
        });
        let latencies: anyhow::Result<Vec<_>> = latencies.collect();
        stop.store(true, Ordering::Relaxed);
        Ok(latencies?.concat())
    })?;
    latencies.sort_by(f64::total_cmp);
    ensure!(!latencies.is_empty(), "no request was answered");
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let title = match logging_in {
        0 => format!("GET {path}"),
        count => format!("GET {path}, {count} clients logging in"),
    };
    Ok(format!(
        "{title:<38} {:>9.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
        latencies.len() as f64 / time.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
        logins.load(Ordering::Relaxed) as f64 / time.as_secs_f64(),
    ))
}

/// Requests `url` for the duration `time`; returns the latency of each request in milliseconds.
fn request(url: &str, token: &str, time: Duration) -> anyhow::Result<Vec<f64>> {
    let agent = ureq::agent();
    let end = Instant::now() + time;
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        agent.get(url).header("authorization", format!("Bearer {token}")).call()?.body_mut().read_to_vec()?;
        latencies.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(latencies)
}

/// Logs the tester in; returns the access token.
fn login(agent: &ureq::Agent, url: &str) -> anyhow::Result<String> {
    let body = json!({"email": "tester@lanterne-rouge.com", "password": "tester_password_123"});
    let reply = agent.post(format!("{url}/auth/login")).send_json(body)?.body_mut().read_to_vec()?;
    let pair: serde_json::Value = serde_json::from_slice(&reply)?;
    pair["access_token"].as_str().map(str::to_owned).context("no access token in the reply")
}
