//! Compares the speed of the API with that of other servers. Run it with `cargo run --profile dist -p lanterne-bench`.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod accounts;
mod growth;
mod peer;
mod plot;
mod report;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bench::process::Process;
use bench::release::{profile, root};
use clap::Parser;

use crate::peer::Peer;
use crate::report::{Results, Round, Run};
use crate::work::{WORKS, Work};

/// The number of accounts in each database.
const USERS: u32 = 1000;

/// Compares the API with a FastAPI server, and with a native one, on this machine
///
/// Builds and starts each server in turn, on a database of its own, and sends it requests. Prints a table and writes it
/// with a plot to the directory of results. Needs Linux.
#[derive(Parser)]
#[command(name = "compare")]
struct Cli {
    /// How often each server is measured; results are medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// How long each kind of request is measured, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,

    /// The servers to measure, separated by commas; writes no files
    #[arg(long, value_name = "SERVERS", value_delimiter = ',')]
    only: Vec<Peer>,

    /// The kinds of requests to measure, separated by commas; writes no files
    #[arg(long, value_name = "WORKS", value_delimiter = ',')]
    works: Vec<String>,

    /// The processes of the FastAPI server
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    fastapi_workers: u32,

    /// Measure only `lanterne`, with databases of so many accounts, such as 1000,1000000
    #[arg(long, value_name = "COUNTS", value_delimiter = ',')]
    users: Vec<u32>,

    /// Where the table and the plot are written [default: bench/results]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    ensure!(cli.rounds > 0 && cli.seconds > 0.0, "--rounds and --seconds must be positive");
    let time = Duration::try_from_secs_f64(cli.seconds).context("--seconds")?;
    if !cli.users.is_empty() {
        ensure!(Peer::Lanterne.prepare()?, "lanterne cannot be built");
        return growth::run(&cli.users, time);
    }
    let works = works(&cli.works)?;
    let mut peers = Vec::new();
    for peer in Peer::ALL {
        if (cli.only.is_empty() || cli.only.contains(&peer)) && peer.prepare()? {
            peers.push(peer);
        }
    }
    for &peer in &peers {
        // The first start after a build fills caches. A server that cannot start is found before the measurements.
        peer.start(cli.fastapi_workers)?;
    }
    let mut rounds = Vec::new();
    for number in 1..=cli.rounds {
        let mut runs = BTreeMap::new();
        let hash = peer::hash_time();
        for &peer in &peers {
            eprintln!("round {number} of {}: {}", cli.rounds, peer.title());
            runs.insert(peer, run(peer, &works, time, cli.fastapi_workers)?);
        }
        rounds.push(Round { hash, runs });
    }
    let results = Results { works, peers, rounds, time, fastapi_workers: cli.fastapi_workers, profile: profile()? };
    let text = report::markdown(&results);
    println!("{text}");
    if cli.only.is_empty() && cli.works.is_empty() {
        let dir = cli.out.unwrap_or_else(|| root().join("bench/results"));
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("results.md"), text)?;
        plot::write(&results, &dir)?;
    }
    Ok(())
}

/// Measures one server.
fn run(peer: Peer, works: &[&'static Work], time: Duration, fastapi_workers: u32) -> Result<Run> {
    let mut running = peer.start(fastapi_workers)?;
    accounts::insert(&running.database, USERS)?;
    let mut target = accounts::log_in(&running.server)?;
    let mut measurements = Vec::new();
    for work in works {
        let measurement = target.measure(work, time).with_context(|| work.name)?;
        eprintln!("  {:<14} {:>9.1}/s  p99 {:>8.2} ms", work.name, measurement.throughput, measurement.p99);
        measurements.push(measurement);
    }
    let processes = Process(running.server.id()).tree()?;
    let resident = processes.into_iter().filter_map(|process| process.resident_bytes().ok()).sum();
    running.server.stop();
    Ok(Run { start: running.start, resident, measurements })
}

fn works(names: &[String]) -> Result<Vec<&'static Work>> {
    let known: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
    for name in names {
        ensure!(known.contains(&name.as_str()), "--works {name}: must be one of {}", known.join(", "));
    }
    Ok(WORKS.iter().filter(|work| names.is_empty() || names.iter().any(|name| name == work.name)).collect())
}
