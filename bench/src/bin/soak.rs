//! Plays a steady load against the release build of `lanterne` and prints how it develops:
//! `cargo run --release -p lanterne-bench --bin soak -- [MINUTES]`, 30 by default.
//!
//! Each minute it prints memory, open descriptors, the sizes of the database and its write-ahead log, and for each kind of
//! request the median and the 99th percentile of the latency in ms, counted from the scheduled time. At the end it compares
//! the first third of the run with the last, without the first two minutes.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use bench::client::Client;
use bench::load::{self, Outcome};
use bench::process::Process;
use bench::release::{ANY_PORT, DATABASE, Release};
use bench::server::Server;
use bench::user::{Request, User};
use tempfile::TempDir;

/// The kinds of requests: name, clients, requests per second.
const KINDS: [(&str, Request, usize, f64); 4] = [
    ("read", Request::Me, 6, 300.0),
    ("refresh", Request::Refresh, 5, 50.0),
    ("login", Request::Login, 4, 2.0),
    ("register", Request::Register, 2, 1.0),
];
const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);
/// The number of samples at the start that the comparison leaves out.
const WARM_UP: usize = 2;

fn main() -> Result<()> {
    let minutes =
        std::env::args().nth(1).map_or(Ok(30), |word| word.parse()).context("MINUTES must be a whole number")?;
    let folder = TempDir::new()?;
    let mut command = Release::find()?.up(folder.path(), ANY_PORT, "")?;
    // The readers log in once.
    command.args(["--variable", "throttle=off", "--variable", "access_token_expire_minutes=1440"]);
    command.args(["--log-level", "error"]).stderr(Stdio::inherit());
    let mut server = Server::start(&mut command)?;
    let mut users = KINDS.map(|_| Vec::new());
    for (users, (name, _, clients, _)) in users.iter_mut().zip(KINDS) {
        for number in 0..clients {
            let email = format!("{name}{number}@example.com");
            Client::new(server.address).register(&email)?;
            let mut user = User::new(server.address, email);
            user.send(Request::Login)?;
            users.push(user);
        }
    }
    let columns = ["minute", "MiB", "files", "WAL KiB", "DB KiB"].map(str::to_owned).into_iter();
    let kinds = KINDS.iter().flat_map(|(name, ..)| [format!("{name} 50 %"), format!("{name} 99 %")]);
    println!("{}", columns.chain(kinds).map(|name| format!("{name:>13}")).collect::<String>());
    let (mut samples, mut failed) = (Vec::new(), 0);
    for minute in 1..=minutes {
        let outcomes = play(&mut users)?;
        failed += outcomes.iter().map(|outcome| outcome.errors).sum::<usize>();
        for error in outcomes.iter().filter_map(|outcome| outcome.first_error.as_ref()) {
            eprintln!("first error: {error:#}");
        }
        let sample = measure(Process(server.id()), folder.path(), &outcomes)?;
        print_line(&minute.to_string(), &sample);
        samples.push(sample);
    }
    print_drift(&samples);
    ensure!(server.stop() == Some(0), "the server does not stop");
    ensure!(failed == 0, "{failed} requests failed");
    Ok(())
}

/// Sends the requests of all kinds for a minute.
fn play(users: &mut [Vec<User>; KINDS.len()]) -> Result<Vec<Outcome>> {
    thread::scope(|scope| {
        let kinds = users.iter_mut().zip(KINDS);
        let threads: Vec<_> = kinds
            .map(|(users, (_, request, _, rate))| {
                scope.spawn(move || load::constant(users, request, rate, SAMPLE_INTERVAL))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?).collect()
    })
}

/// Returns the numbers of a line, without the minute.
fn measure(process: Process, folder: &Path, outcomes: &[Outcome]) -> Result<Vec<f64>> {
    let size =
        |suffix| fs::metadata(folder.join(format!("{DATABASE}{suffix}"))).map_or(0, |file| file.len() >> 10) as f64;
    let memory = process.resident_bytes()? as f64 / f64::from(1 << 20);
    let mut sample = vec![memory, process.descriptors()? as f64, size("-wal"), size("")];
    sample.extend(outcomes.iter().flat_map(|outcome| [0.5, 0.99].map(|share| outcome.quantile(share))));
    Ok(sample)
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
