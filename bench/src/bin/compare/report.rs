//! Medians and ratios of the rounds, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::peer::{self, Peer};
use crate::work::{LATENCY_LOAD, LATENCY_RATE_MAX, Measurement, Method, STORM_CLIENTS, Work};

/// A load generator that is busier than this may be what limits the throughput.
const GENERATOR_MAX: f64 = 0.75;
/// The server that others are compared with.
const BASELINE: Peer = Peer::Fastapi;

/// One server in one round.
pub(crate) struct Run {
    pub(crate) start: Duration,
    /// Resident memory after all requests, in bytes.
    pub(crate) resident: u64,
    /// In the order of [`Results::works`].
    pub(crate) measurements: Vec<Measurement>,
}

/// All rounds.
pub(crate) struct Results {
    pub(crate) works: Vec<&'static Work>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) rounds: Vec<BTreeMap<Peer, Run>>,
    pub(crate) time: Duration,
    pub(crate) fastapi_workers: u32,
}

impl Results {
    /// Returns the median of a figure.
    pub(crate) fn median(&self, peer: Peer, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        median(self.rounds.iter().filter_map(|runs| figure(runs.get(&peer)?)).collect())
    }

    /// Returns the median of the ratios that the rounds have: how many times the figure of FastAPI.
    pub(crate) fn ratio(&self, peer: Peer, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        let ratio = |runs: &BTreeMap<Peer, Run>| Some(figure(runs.get(&peer)?)? / figure(runs.get(&BASELINE)?)?);
        median(self.rounds.iter().filter_map(ratio).filter(|ratio| ratio.is_finite()).collect())
    }
}

/// Writes the tables.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = String::from("# Speed\n\n");
    let count = results.rounds.len();
    let seconds = results.time.as_secs_f64();
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        text,
        "`cargo run --release -p lanterne-bench`: medians of {count} round(s) of {seconds} s per row, on {}.\n\n",
        machine()
    );
    let _ = write!(
        text,
        "| request | server | requests/s | CPU ms/request | p50 ms | p99 ms | p99.9 ms |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n{}",
        rows(results, |method| !matches!(method, Method::Storm(_)))
    );
    let _ = write!(
        text,
        "\nWhile {STORM_CLIENTS} other clients log in:\n\n\
         | request | server | logins/s | | p50 ms | p99 ms | p99.9 ms |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n{}",
        rows(results, |method| matches!(method, Method::Storm(_)))
    );
    text.push_str("\n| server | start to first reply, ms | resident memory after all, MiB |\n| --- | ---: | ---: |\n");
    for &peer in &results.peers {
        let start = cell(results, peer, |run| Some(run.start.as_secs_f64() * 1000.0), Better::Less);
        let resident = cell(results, peer, |run| Some(run.resident as f64 / f64::from(1 << 20)), Better::Less);
        let _ = writeln!(text, "| {} | {start} | {resident} |", peer.title());
    }
    text.push_str(&notes(results));
    text
}

fn rows(results: &Results, is_included: impl Fn(Method) -> bool) -> String {
    let mut text = String::new();
    for (index, work) in results.works.iter().enumerate().filter(|(_, work)| is_included(work.method)) {
        for (number, &peer) in results.peers.iter().enumerate() {
            let of =
                |figure: fn(&Measurement) -> Option<f64>| move |run: &Run| run.measurements.get(index).and_then(figure);
            let title = if number == 0 { work.title } else { "" };
            let is_limited = results.median(peer, of(|m| Some(m.generator))).is_some_and(|busy| busy > GENERATOR_MAX);
            let errors = results.rounds.iter().filter_map(|runs| runs.get(&peer)?.measurements.get(index));
            let errors: u64 = errors.map(|measurement| measurement.errors).sum();
            let _ = writeln!(
                text,
                "| {title} | {}{} | {}{} | {} | {} | {} | {} |",
                peer.title(),
                if errors > 0 { format!(", **{errors} errors**") } else { String::new() },
                cell(results, peer, of(|m| Some(m.throughput)), Better::More),
                if is_limited { " \\*" } else { "" },
                cell(results, peer, of(|m| m.cpu), Better::Less),
                cell(results, peer, of(|m| Some(m.p50)), Better::Less),
                cell(results, peer, of(|m| Some(m.p99)), Better::Less),
                cell(results, peer, of(|m| Some(m.p999)), Better::Less),
            );
        }
    }
    text
}

/// Which of two figures is better.
#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

/// Formats a figure, and how many times better than that of FastAPI it is.
fn cell(results: &Results, peer: Peer, figure: impl Fn(&Run) -> Option<f64>, better: Better) -> String {
    let Some(value) = results.median(peer, &figure) else { return String::new() };
    let ratio = results.ratio(peer, &figure).filter(|_| peer != BASELINE);
    let ratio = ratio.map(|ratio| match better {
        Better::More => ratio,
        Better::Less => 1.0 / ratio,
    });
    number(value) + &ratio.map_or_else(String::new, |ratio| format!(" ({}×)", number(ratio)))
}

/// Formats with three significant digits, and no fraction from 100 on.
pub(crate) fn number(value: f64) -> String {
    let digits =
        if value >= 100.0 || value == 0.0 { 0 } else { (2.0 - value.log10().floor()).clamp(0.0, 4.0) as usize };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        // Four digits need no blank, and a narrow one keeps a number in one line.
        if index > 0 && whole.len() > 4 && (whole.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

fn notes(results: &Results) -> String {
    let workers = match results.fastapi_workers {
        1 => "one process, as `uvicorn` starts by default".to_owned(),
        count => format!("{count} processes"),
    };
    format!(
        "
- In parentheses: how many times better than FastAPI, the median of the ratios that the rounds have. The servers take turns
  within a round, each with a new database of {} accounts in WAL mode with `synchronous = FULL`, and bcrypt of cost 12.
- FastAPI is `bench/peers/fastapi`: {workers}, with SQLAlchemy and
  synchronous handlers in threads. Native Rust is `bench/peers/native`: axum, rusqlite and the crate `bcrypt`. It has neither a log nor the security features of the API, and
  shows what those and WebAssembly cost. `lanterne` and FastAPI log every request. The throttle is off, since all requests
  come from one address.
- Requests that do not hash: requests/s and CPU time are those of 8 clients in a closed loop. Latencies are those at a
  constant rate, {} % of that throughput but at most {} requests/s, and count from the time when a request was due, so that
  a stall counts for all requests that it delays. So a faster server is measured at a higher rate. Requests that hash: all
  figures are those of the closed loop; with few of them, p99 is the slowest.
- While others log in: latencies at a constant rate of 100 `GET /healthz` or 50 `POST /auth/refresh` per second, the same for
  all servers. With so few requests, p99.9 is the slowest.
- CPU time is that of the server's processes in user mode and in the kernel. The load generator runs on the same machine and
  uses one thread. \\*: it was busy for more than {} % of the time, so the server could do more.
- The start includes the creation of the tables. `lanterne` has its compiled component in the cache, as after the first start.
",
        crate::USERS,
        LATENCY_LOAD * 100.0,
        number(LATENCY_RATE_MAX),
        GENERATOR_MAX * 100.0
    )
}

/// Describes the machine, and the commit that was measured.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpu.lines().filter(|line| line.starts_with("model name")).collect();
    let model = models.first().and_then(|line| line.split(": ").nth(1)).unwrap_or("an unknown processor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(peer::root()).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!("{} × {model}, Linux {}, commit {commit}", models.len().max(1), kernel.trim())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) { Some((values.get(middle - 1)? + upper) / 2.0) } else { Some(upper) }
}
