//! Plays a steady load against the release build of `lanterne` and prints how it develops:
//! `cargo run --release -p lanterne-bench --bin soak -- [MINUTES]`, 30 by default.
//!
//! Each minute it prints memory, open descriptors, the sizes of the database and its write-ahead log, and for each kind of
//! request the median and the 99th percentile of the latency in ms, counted from the scheduled time. At the end it compares
//! the first third of the run with the last, without the first two minutes.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bench::api::{ApiClient, ApiReply};
use bench::pace::Pace;
use bench::process::Process;
use bench::release::Release;
use bench::server::Server;
use tempfile::TempDir;

/// The kinds of requests: name, clients, requests per second.
const KINDS: [(&str, u32, u32); 4] = [("read", 6, 300), ("refresh", 5, 50), ("login", 4, 2), ("register", 2, 1)];
const READ: usize = 0;
const REFRESH: usize = 1;
const LOGIN: usize = 2;
const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);
/// Samples at the start that the comparison leaves out.
const WARM_UP: usize = 2;

/// Latencies and failures since the last sample, by kind.
type Record = [Mutex<(Vec<Duration>, usize)>; KINDS.len()];

fn main() -> Result<()> {
    let minutes =
        std::env::args().nth(1).map_or(Ok(30), |word| word.parse()).context("MINUTES must be a whole number")?;
    let release = Release::find()?;
    let folder = TempDir::new()?;
    let mut command = release.up(folder.path(), "")?;
    // The readers log in once.
    command.args(["--variable", "throttle=off", "--variable", "access_token_expire_minutes=1440"]);
    command.args(["--log-level", "error"]).stderr(Stdio::inherit());
    let mut server = Server::start(&mut command)?;
    let record = Arc::<Record>::default();
    for (kind, (_, clients, _)) in KINDS.into_iter().enumerate() {
        for number in 0..clients {
            let (record, address) = (record.clone(), server.address);
            thread::spawn(move || repeat(kind, number, address, &record));
        }
    }
    let columns = ["minute", "MiB", "files", "WAL KiB", "DB KiB"].map(str::to_owned).into_iter();
    let kinds = KINDS.iter().flat_map(|(name, ..)| [format!("{name} 50 %"), format!("{name} 99 %")]);
    println!("{}", columns.chain(kinds).map(|name| format!("{name:>13}")).collect::<String>());
    let (mut samples, mut failed) = (Vec::new(), 0);
    let start = Instant::now();
    for minute in 1..=minutes {
        thread::sleep((SAMPLE_INTERVAL * minute).saturating_sub(start.elapsed()));
        let (sample, failures) = measure(Process(server.id()), folder.path(), &record)?;
        print_line(&minute.to_string(), &sample);
        failed += failures;
        samples.push(sample);
    }
    print_drift(&samples);
    ensure!(server.stop() == Some(0), "the server does not stop");
    ensure!(failed == 0, "{failed} requests failed");
    Ok(())
}

/// Sends requests of one kind at their scheduled times, for as long as the program runs.
fn repeat(kind: usize, number: u32, address: SocketAddr, record: &Record) {
    let (name, clients, rate) = KINDS[kind];
    let client = ApiClient::new(address);
    let email = |count: usize| format!("{name}{number}-{count}@example.com");
    let log_in = || client.register(&email(0)).and_then(|_| client.login(&email(0)));
    let token = |reply: &ApiReply, name| reply.text(name).unwrap_or_default().to_owned();
    let mut reply = log_in();
    let mut pace = Pace::new(Duration::from_secs(1) * clients / rate);
    for count in 1.. {
        let scheduled = pace.wait();
        let tokens = reply.as_ref().ok().map(|reply| [token(reply, "access_token"), token(reply, "refresh_token")]);
        let [access, refresh] = tokens.unwrap_or_default();
        let sent = match kind {
            READ => client.get("/users/me", Some(&access)),
            REFRESH => client.refresh(&refresh),
            LOGIN => client.login(&email(0)),
            _ => client.register(&email(count)),
        };
        let mut seen = record[kind].lock().unwrap_or_else(PoisonError::into_inner);
        match &sent {
            Ok(sent) if sent.status < 300 => seen.0.push(scheduled.elapsed()),
            _ => seen.1 += 1,
        }
        drop(seen);
        match sent {
            Ok(sent) if kind == REFRESH && sent.status == 200 => reply = Ok(sent),
            Ok(sent) if sent.status == 401 => reply = log_in(),
            _ => {}
        }
    }
}

/// Returns the numbers of a line, without the minute, and how many requests failed.
fn measure(process: Process, folder: &Path, record: &Record) -> Result<(Vec<f64>, usize)> {
    let size = |name: &str| fs::metadata(folder.join("state").join(name)).map_or(0, |file| file.len() >> 10) as f64;
    let mut sample = vec![
        process.resident_bytes()? as f64 / f64::from(1 << 20),
        process.descriptors()? as f64,
        size("sqlite_db.db-wal"),
        size("sqlite_db.db"),
    ];
    let mut failed = 0;
    for (seen, (name, ..)) in record.iter().zip(KINDS) {
        let (mut latencies, failures) = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        ensure!(!latencies.is_empty(), "no request of the kind {name} was answered within a minute");
        failed += failures;
        latencies.sort_unstable();
        sample.extend([50, 99].map(|percent| latencies[latencies.len() * percent / 100].as_secs_f64() * 1e3));
    }
    Ok((sample, failed))
}

/// Prints the change from the first third to the last, in percent of the first.
fn print_drift(samples: &[Vec<f64>]) {
    let samples = samples.get(WARM_UP..).unwrap_or_default();
    let third = samples.len() / 3;
    if third == 0 {
        println!("The run is too short to compare the first third with the last: at least 5 minutes are needed.");
        return;
    }
    let mean =
        |part: &[Vec<f64>], column: usize| part.iter().map(|sample| sample[column]).sum::<f64>() / part.len() as f64;
    let change = |column| {
        let first = mean(&samples[..third], column);
        (mean(&samples[samples.len() - third..], column) - first) / first.max(f64::MIN_POSITIVE) * 100.0
    };
    print_line("drift %", &(0..samples[0].len()).map(change).collect::<Vec<_>>());
}

fn print_line(title: &str, numbers: &[f64]) {
    println!("{title:>13}{}", numbers.iter().map(|number| format!("{number:>13.1}")).collect::<String>());
}
