//! Compares how long the release build of `lanterne` takes to refuse logins:
//! `cargo run --release -p lanterne-bench --bin timing -- [--tries COUNT] [--cost COST]`.
//!
//! A reply must not tell by its time whether an address has an account. So each kind of refused login is compared with that
//! of an unknown address by a rank test. The kinds take turns, each request waits for the one before, and each comes from
//! an address of its own, so that the throttle counts it and pauses none. A p value below 0.01 for one of the kinds with the
//! same reply ends the program with status 1. If the times are equal, one run in twenty has such a value by chance: run it
//! again.
//!
//! There is no promise about the time of `POST /auth/register`, whose reply tells whether an address is taken.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod rank;

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bench::client::{Client, PASSWORD};
use bench::release::{ANY_PORT, DATABASE, Release};
use bench::server::Server;
use clap::Parser;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

/// The least p value that passes.
const P_MIN: f64 = 0.01;

#[derive(Parser)]
struct Arguments {
    /// The number of logins of each kind.
    #[arg(long, default_value_t = 200)]
    tries: usize,
    /// The cost of bcrypt: the lower, the larger is the share of all else in the time.
    #[arg(long, default_value_t = 12)]
    cost: u32,
}

/// A kind of login.
struct Kind {
    name: &'static str,
    email: &'static str,
    password: &'static str,
    status: u16,
}

/// The address without an account.
const UNKNOWN: &str = "nobody@example.com";
/// The active account.
const ACTIVE: &str = "active@example.com";
/// The active account with a password of more than 72 bytes.
const LONG: &str = "longer@example.com";
/// The inactive account.
const INACTIVE: &str = "former@example.com";
/// A wrong password as long as the right one.
const WRONG: &str = "the password of somebody el";
const LONG_PASSWORD: &str = "a password of measurements that has more than seventy-two bytes, all of which count";
const LONG_WRONG: &str = "another password of measurements with more than seventy-two bytes, which is wrong";

/// The kinds of logins. The first is the reference.
const KINDS: [Kind; 7] = [
    Kind { name: "unknown address", email: UNKNOWN, password: WRONG, status: 401 },
    Kind { name: "wrong password", email: ACTIVE, password: WRONG, status: 401 },
    Kind { name: "wrong password, inactive account", email: INACTIVE, password: WRONG, status: 401 },
    Kind { name: "right password, inactive account", email: INACTIVE, password: PASSWORD, status: 403 },
    Kind { name: "long password, unknown address", email: UNKNOWN, password: LONG_WRONG, status: 401 },
    Kind { name: "long password, wrong", email: ACTIVE, password: LONG_WRONG, status: 401 },
    Kind { name: "long password, wrong, of a long one", email: LONG, password: LONG_WRONG, status: 401 },
];

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = TempDir::new()?;
    let mut command = Release::find()?.up(folder.path(), ANY_PORT, "")?;
    command.args(["--variable", "client_ip_header=x-forwarded-for", "--log-level", "error"]).stderr(Stdio::inherit());
    command.args(["--variable", &format!("bcrypt_cost={}", arguments.cost)]);
    let mut server = Server::start(&mut command)?;
    create_accounts(&server, folder.path())?;
    let times = measure(&server, arguments.tries)?;
    ensure!(server.stop() == Some(0), "the server does not stop");
    println!("{:<36}{:>12}{:>12}{:>12}{:>10}", "refused login", "10 % ms", "50 % ms", "90 % ms", "p");
    let (mut passed, reference) = (true, &times[0]);
    for (index, (kind, times)) in KINDS.iter().zip(&times).enumerate() {
        let [low, median, high] = [0.1, 0.5, 0.9].map(|share| quantile(times, share));
        print!("{:<36}{low:>12.3}{median:>12.3}{high:>12.3}", kind.name);
        if index == 0 {
            println!();
            continue;
        }
        let p = rank::p_value(times, reference);
        println!("{p:>10.4}");
        passed &= p >= P_MIN || kind.status != KINDS[0].status;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn create_accounts(server: &Server, folder: &Path) -> Result<()> {
    let mut client = Client::new(server.address).forwarded_for("198.51.100.1".to_owned());
    for (email, password) in [(ACTIVE, PASSWORD), (INACTIVE, PASSWORD), (LONG, LONG_PASSWORD)] {
        let reply = client.post("/auth/register", &json!({"email": email, "password": password}))?;
        ensure!(reply.status == 201, "{email}: {}", reply.json());
    }
    let db = Connection::open(folder.join(DATABASE)).context("the database of the server")?;
    db.execute("UPDATE users SET is_active = 0 WHERE email = ?1", [INACTIVE])?;
    Ok(())
}

/// Sends `tries` logins of each kind, in turns, and returns their times in ms. Each round begins with another kind.
fn measure(server: &Server, tries: usize) -> Result<[Vec<f64>; KINDS.len()]> {
    let mut times = KINDS.map(|_| Vec::with_capacity(tries));
    let mut clients = 0_u32;
    // The first round warms up.
    for round in 0..=tries {
        for turn in 0..KINDS.len() {
            let index = (round + turn) % KINDS.len();
            let Kind { email, password, status, name } = &KINDS[index];
            let [_, high, middle, low] = clients.to_be_bytes();
            clients += 1;
            let mut client = Client::new(server.address).forwarded_for(format!("10.{high}.{middle}.{low}"));
            let start = Instant::now();
            let reply = client.post("/auth/login", &json!({"email": email, "password": password}))?;
            let elapsed = start.elapsed();
            ensure!(reply.status == *status, "{name}: {} {}", reply.status, reply.json());
            if round > 0 {
                times[index].push(elapsed.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(times)
}

/// Returns the value below which this share of the times lies.
fn quantile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
