//! Medians and ratios of the rounds, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use bench::release::root;

use crate::peer::Peer;
use crate::work::{
    HEADROOM, HEALTHZ, LATENCY_RATE, LOGIN_8, LOGIN_16, ME, Measurement, Method, SLOW_LOAD, STORM_CLIENTS, Work,
};

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

/// All servers in one round.
pub(crate) struct Round {
    /// The time of one hash by the C library.
    pub(crate) hash: Option<Duration>,
    pub(crate) runs: BTreeMap<Peer, Run>,
}

/// All rounds.
pub(crate) struct Results {
    pub(crate) works: Vec<&'static Work>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) rounds: Vec<Round>,
    pub(crate) time: Duration,
    pub(crate) fastapi_workers: u32,
    /// The cargo profile of the servers written in Rust.
    pub(crate) profile: String,
}

impl Results {
    /// Returns the median of a figure.
    pub(crate) fn median(&self, peer: Peer, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        self.median_round(|round| figure(round.runs.get(&peer)?))
    }

    /// Returns the median of the ratios that the rounds have: how many times the figure of FastAPI.
    pub(crate) fn ratio(&self, peer: Peer, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        self.median_round(|round| Some(figure(round.runs.get(&peer)?)? / figure(round.runs.get(&BASELINE)?)?))
    }

    fn median_round(&self, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        median(self.rounds.iter().filter_map(figure).filter(|figure| figure.is_finite()).collect())
    }

    /// Returns the throughput of a work.
    fn throughput(&self, run: &Run, name: &str) -> Option<f64> {
        let index = self.works.iter().position(|work| work.name == name)?;
        Some(run.measurements.get(index)?.throughput)
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
        "`cargo run --profile {} -p lanterne-bench`: medians of {count} round(s) of {seconds} s per row, on {}.\n\n",
        results.profile,
        machine()
    );
    text.push_str("| request | server | requests/s | CPU ms/request | p50 ms | p99 ms | p99.9 ms |\n");
    text.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
    rows(&mut text, results, false);
    let _ = write!(text, "\nWhile {STORM_CLIENTS} other clients log in:\n\n");
    text.push_str("| request | server | requests/s | logins/s | of those alone | p50 ms | p99 ms | p99.9 ms |\n");
    text.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    rows(&mut text, results, true);
    text.push_str("\n| server | logins/s, share of the C library's | start to first reply, ms | resident memory after all, MiB |\n");
    text.push_str("| --- | ---: | ---: | ---: |\n");
    for &peer in &results.peers {
        let share = results.median_round(|round| {
            let logins = results.throughput(round.runs.get(&peer)?, LOGIN_8)?;
            Some(logins * round.hash?.as_secs_f64() / available_parallelism().ok()?.get() as f64)
        });
        let start = cell(results, peer, |run| Some(run.start.as_secs_f64() * 1000.0), Better::Less);
        let resident = cell(results, peer, |run| Some(run.resident as f64 / f64::from(1 << 20)), Better::Less);
        let _ = writeln!(text, "| {} | {} | {start} | {resident} |", peer.title(), percent(share));
    }
    text.push('\n');
    if let Some(hash) = results.median_round(|round| Some(round.hash?.as_secs_f64() * 1000.0)) {
        let _ = writeln!(
            text,
            "- One bcrypt hash by the C library (Python's `bcrypt`), the best of five: {} ms.",
            number(hash)
        );
    }
    let me = |round: &Round| results.throughput(round.runs.get(&Peer::Lanterne)?, ME);
    let healthz = |round: &Round| results.throughput(round.runs.get(&BASELINE)?, HEALTHZ);
    if let Some(ratio) = results.median_round(|round| Some(me(round)? / healthz(round)?)) {
        let _ = writeln!(
            text,
            "- `lanterne` answers {} times as many `GET /users/me` as FastAPI answers `GET /healthz`.",
            number(ratio)
        );
    }
    text + &notes(results)
}

/// Writes the rows of works in a storm, or of the others.
fn rows(text: &mut String, results: &Results, are_storms: bool) {
    for (index, work) in results.works.iter().enumerate() {
        let rate = match work.method {
            Method::Storm(rate) => rate,
            Method::Light | Method::Heavy => None,
        };
        if matches!(work.method, Method::Storm(_)) != are_storms {
            continue;
        }
        for (number, &peer) in results.peers.iter().enumerate() {
            let of =
                |figure: fn(&Measurement) -> Option<f64>| move |run: &Run| run.measurements.get(index).and_then(figure);
            let measured = || results.rounds.iter().filter_map(|round| round.runs.get(&peer)?.measurements.get(index));
            let errors: usize = measured().map(|measurement| measurement.errors).sum();
            let errors = if errors > 0 { format!(", **{errors} errors**") } else { String::new() };
            let is_limited = results.median(peer, of(|m| Some(m.generator))).is_some_and(|busy| busy > GENERATOR_MAX);
            let throughput = cell(results, peer, of(|m| Some(m.throughput)), Better::More);
            let throughput = if rate.is_some() { String::new() } else { throughput };
            let second = if are_storms {
                let share = results.median(peer, |run| {
                    Some(run.measurements.get(index)?.logins? / results.throughput(run, LOGIN_16)?)
                });
                format!("{} | {}", cell(results, peer, of(|m| m.logins), Better::More), percent(share))
            } else {
                cell(results, peer, of(|m| m.cpu), Better::Less)
            };
            let mark = if measured().any(|measurement| measurement.is_slow) { " †" } else { "" };
            let latency = |figure| cell(results, peer, of(figure), Better::Less) + mark;
            let _ = writeln!(
                text,
                "| {} | {}{errors} | {throughput}{} | {second} | {} | {} | {} |",
                if number == 0 { work.title } else { "" },
                peer.title(),
                if is_limited { " \\*" } else { "" },
                latency(|m| Some(m.p50)),
                latency(|m| Some(m.p99)),
                latency(|m| Some(m.p999)),
            );
        }
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.0} %", share * 100.0))
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
        "- In parentheses: how many times better than FastAPI, the median of the ratios that the rounds have. The servers take turns
  within a round, each with a new database of {} accounts in WAL mode with `synchronous = FULL`, and bcrypt of cost 12.
- FastAPI is `bench/peers/fastapi`: {workers}, with SQLAlchemy and synchronous handlers in
  threads. Native Rust is `bench/peers/native`: axum, rusqlite and the crate `bcrypt`, without log and security features.
  `lanterne` and FastAPI log every request. The throttle is off, since all requests come from one address.
- Requests that do not hash: requests/s and CPU time are those of 8 clients in a closed loop. Latencies are those at {} requests
  per second, and count from the time when a request was due, so that a stall counts for all requests that it delays.
  †: the throughput is below {} times this rate, and the latencies are those at {} % of the throughput.
- Requests that hash: all figures are those of the closed loop.
- While others log in: with a rate, the latencies at this rate; with clients, a closed loop. \"Of those alone\": the logins
  per second in relation to those of {STORM_CLIENTS} clients without other requests.
- \"Share of the C library's\": the logins per second of 8 clients in relation to the number of processors, divided by the time of
  one hash by the C library.
- With less than 1000 requests per row, p99.9 is the slowest.
- CPU time is that of the server's processes in user mode and in the kernel. The load generator runs on the same machine.
  \\*: it used more than {} % of one processor, so the server could do more.
- The start includes the creation of the tables. `lanterne` has its compiled component in the cache, as after the first start.
",
        crate::USERS,
        number(LATENCY_RATE),
        number(HEADROOM),
        SLOW_LOAD * 100.0,
        GENERATOR_MAX * 100.0
    )
}

/// Describes the machine, and the commit that was measured.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpu.lines().filter(|line| line.starts_with("model name")).collect();
    let model = models.first().and_then(|line| line.split(": ").nth(1)).unwrap_or("an unknown processor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!("{} × {model}, Linux {}, commit {commit}", models.len().max(1), kernel.trim())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) { Some((values.get(middle - 1)? + upper) / 2.0) } else { Some(upper) }
}
