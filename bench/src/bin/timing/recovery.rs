//! Requests for messages, and the requests that follow at once on the same connection, when a message may be on its way.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::client::Client;
use bench::release::DATABASE;
use bench::server::Server;
use rusqlite::Connection;
use serde_json::json;

use crate::table::Sample;

/// The kinds of addresses. Each request has an address of its own, since an account gets three messages an hour. The names
/// are equally long.
const KINDS: [(&str, &str); 4] = [
    ("nobody", "unknown address"),
    ("active", "active account"),
    ("former", "inactive account"),
    ("newbie", "unverified"),
];
/// The requests.
const PATHS: [&str; 2] = ["/auth/password/forgot", "/auth/email/verification"];

/// The pause after each turn, so that it does not meet what the turn before has caused.
const PAUSE: Duration = Duration::from_millis(15);
/// How long all deliveries may take.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Creates the accounts for this number of tries, with the database of the server.
pub(crate) fn create_accounts(folder: &Path, tries: usize) -> Result<()> {
    let db = Connection::open(folder.join(DATABASE))?;
    let sql = "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at, email_verified)
               VALUES (?1, 'x', ?2, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', ?3)";
    db.execute_batch("BEGIN")?;
    for round in 0..=tries {
        for path in 0..PATHS.len() {
            for (name, is_active, is_verified) in [("active", 1, 1), ("former", 0, 0), ("newbie", 1, 0)] {
                db.execute(sql, (address(name, path, round), is_active, is_verified))?;
            }
        }
    }
    Ok(db.execute_batch("COMMIT")?)
}

/// Checks that the accounts have got their messages, which is what the times must not tell.
pub(crate) fn check_deliveries(folder: &Path, tries: usize) -> Result<()> {
    let db = Connection::open(folder.join(DATABASE))?;
    let sql = "SELECT count(*) FROM outbox WHERE delivered_at IS NOT NULL";
    // A new password for the active and the unverified account, and the verification of the latter.
    let expected = 3 * (tries + 1);
    let start = Instant::now();
    loop {
        let count: usize = db.query_row(sql, [], |row| row.get::<_, i64>(0))?.try_into()?;
        if count == expected {
            return Ok(());
        }
        ensure!(start.elapsed() < DELIVERY_TIMEOUT, "{count} of {expected} messages are delivered");
        thread::sleep(PAUSE);
    }
}

fn address(name: &str, path: usize, round: usize) -> String {
    format!("{name}{path}{round:05}@example.com")
}

/// Sends this number of requests of each kind, in turns; returns for each path a group of samples for the requests, and one
/// for those that follow. The first sample of a group is the reference.
pub(crate) fn measure(server: &Server, tries: usize) -> Result<Vec<Vec<Sample>>> {
    let mut groups: Vec<Vec<Sample>> = Vec::new();
    for path in PATHS {
        for when in ["", ", next"] {
            groups.push(KINDS.iter().map(|(_, kind)| Sample::new(format!("{path}{when}: {kind}"))).collect());
        }
    }
    let mut clients = 0_u32;
    // The first round warms up.
    for round in 0..=tries {
        for turn in 0..KINDS.len() * PATHS.len() {
            let (kind, path) = ((round + turn) % KINDS.len(), turn / KINDS.len());
            let [_, high, middle, low] = clients.to_be_bytes();
            clients += 1;
            let mut client = Client::new(server.address).forwarded_for(format!("11.{high}.{middle}.{low}"));
            // The next request must not wait for a connection.
            client.get("/healthz", None)?;
            let emails = [address(KINDS[kind].0, path, round), format!("follow{path}{round:05}@example.com")];
            for (when, email) in emails.iter().enumerate() {
                let start = Instant::now();
                let reply = client.post(PATHS[path], &json!({"email": email}))?;
                let elapsed = start.elapsed().as_secs_f64() * 1e3;
                ensure!(reply.status == 202, "{email}: {} {}", reply.status, reply.json());
                if round > 0 {
                    groups[2 * path + when][kind].times.push(elapsed);
                }
            }
            thread::sleep(PAUSE);
        }
    }
    Ok(groups)
}
