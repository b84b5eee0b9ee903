//! Plays faults against the release build of `lanterne` and prints what they do:
//! `cargo run --release -p lanterne-bench --bin faults -- [--markdown] [WORD]`.
//!
//! Each fault has a server of its own, on a temporary directory. Before, during and after the fault clients write, and
//! record what was acknowledged. During the fault clients request `GET /healthz` 200 times a second; latencies count from
//! the scheduled time. After its end the time until a write succeeds is measured, and then the database is compared with
//! the acknowledged writes. With WORD, only faults run whose name contains it.
//!
//! The exit status is 1 if a bound is broken. Runs on Linux, some faults only as root.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod fixture;
mod hashes;
mod health_probe;
mod ledger;
mod load;
mod log;
mod process;
mod start;
mod storage;
mod table;
mod writers;

use std::process::ExitCode;

use anyhow::Result;
use bench::release::Release;

use fixture::Outcome;
use table::Table;

/// A fault and what plays it. `None` if this machine cannot.
struct Fault {
    name: &'static str,
    play: fn(&Release) -> Result<Option<Outcome>>,
}

fn main() -> Result<ExitCode> {
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word == "--markdown");
    let release = Release::find()?;
    let mut table = Table::begin(!flags.is_empty());
    let families = [process::FAULTS, storage::FAULTS, start::FAULTS, log::FAULTS, load::FAULTS, hashes::FAULTS];
    for fault in families.into_iter().flatten() {
        if words.iter().all(|word| fault.name.contains(word.as_str())) {
            table.add(fault.name, (fault.play)(&release));
        }
    }
    Ok(if table.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
