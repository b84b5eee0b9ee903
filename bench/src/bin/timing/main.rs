//! Compares how long the release build of `lanterne` takes to refuse logins, and to accept requests for messages:
//! `cargo run --release -p lanterne-bench --bin timing -- [--tries COUNT] [--cost COST] [--only logins|messages]`.
//!
//! A reply must not tell by its time whether an address has an account. So each kind of refused login, of request for a
//! message, and of request that follows that one at once, is compared with that of an unknown address by a rank test. The
//! kinds take turns, each request waits for the one before, and each comes from an address of its own, so that the throttle
//! counts it and pauses none. A p value below 0.01 for one of the kinds with the same reply ends the program with status 1. If
//! the times are equal, one run in twenty has such a value by chance: run it again.
//!
//! There is no promise about the time of `POST /auth/register`, whose reply tells whether an address is taken.
#![allow(clippy::print_stdout, reason = "the program prints its results")]

mod rank;
mod receiver;
mod recovery;
mod table;

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bench::client::{Client, PASSWORD};
use bench::release::{ANY_PORT, DATABASE, Release};
use bench::server::Server;
use clap::{Parser, ValueEnum};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use self::table::Sample;

#[derive(Parser)]
struct Arguments {
    /// The number of logins of each kind.
    #[arg(long, default_value_t = 200)]
    tries: usize,
    /// The cost of bcrypt: the lower, the larger is the share of all else in the time.
    #[arg(long, default_value_t = 12)]
    cost: u32,
    /// What to measure, if not both.
    #[arg(long)]
    only: Option<Part>,
}

/// A part of the measurement.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Logins,
    Messages,
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
    for (name, value) in [
        ("mail", "webhook"),
        ("mail_webhook_url", receiver::start()?.as_str()),
        ("mail_webhook_secret", "whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5"),
    ] {
        command.args(["--variable", &format!("{name}={value}")]);
    }
    let mut server = Server::start(&mut command)?;
    let mut passed = true;
    if arguments.only != Some(Part::Messages) {
        create_accounts(&server, folder.path())?;
        passed &= table::print("refused login", &measure(&server, arguments.tries)?);
    }
    if arguments.only != Some(Part::Logins) {
        recovery::create_accounts(folder.path(), arguments.tries)?;
        for group in recovery::measure(&server, arguments.tries)? {
            passed &= table::print("request for a message", &group);
        }
        recovery::check_deliveries(folder.path(), arguments.tries)?;
    }
    ensure!(server.stop() == Some(0), "the server does not stop");
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

/// Sends `tries` logins of each kind, in turns, and returns their times. Each round begins with another kind.
fn measure(server: &Server, tries: usize) -> Result<Vec<Sample>> {
    let sample = |kind: &Kind| match kind.status == KINDS[0].status {
        true => Sample::new(kind.name),
        false => Sample::that_may_differ(kind.name),
    };
    let mut samples: Vec<Sample> = KINDS.iter().map(sample).collect();
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
                samples[index].times.push(elapsed.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(samples)
}
