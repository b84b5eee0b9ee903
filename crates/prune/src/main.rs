//! `prune`: deletes old sessions, old audit rows and expired throttle counters.
//!
//! Safe beside a busy server: rows are found without a lock and deleted in small transactions, each followed by a pause for
//! other writers. An interrupted run can be repeated.

mod arguments;
mod retention;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arguments::Arguments;
use lanterne_command::{Failure, Store, open_migrated, run, say};
use lanterne_database::{self as db, Connection, Timestamp};
use retention::Table;
use serde::Deserialize;

/// The rows of one transaction: a few milliseconds of work.
const BATCH_ROWS_MAX: i64 = 500;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The longest pause between two batches.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The prefix of the keys of throttle counters.
const COUNTER_PREFIX: &str = "throttle/";

const USAGE: &str = "\
Deletes old sessions, audit rows and throttle counters, also beside a running
server.

Usage: prune [--sessions-days N] [--audit-days N] [--throttle] [--dry-run]

Options:
  --sessions-days N  delete sessions whose refresh token expired more than N days
                     ago; ended sessions are kept until then, so that a used
                     token that comes back is recognized
  --audit-days N     delete audit rows older than N days
  --throttle         delete expired counters of failed logins
  --dry-run          only count, delete nothing
  help               show this text

N is a whole number from 1. Only what the options name is deleted.

Exit status: 0 on success, 1 on failure, 2 on a usage error (1 on Spin).

Run it with:
  cargo lanterne prune --sessions-days 30 --audit-days 365 --throttle
  spin up -f spin.commands.toml -c prune -- --sessions-days 30 --throttle";

fn main() -> ExitCode {
    run("prune", async |words| {
        let arguments =
            arguments::parse(&words).map_err(|fault| Failure::Usage(format!("{fault}; see `prune help`")))?;
        let Some(arguments) = arguments else {
            say(USAGE);
            return Ok(());
        };
        let now = Timestamp::now();
        if arguments.sessions_days.or(arguments.audit_days).is_some() {
            prune(&open_migrated().await?, &arguments, now).await?;
        }
        if arguments.throttle {
            let count = forget_counters(&Store::open()?, arguments.dry_run, now)?;
            say(format!("{} {count} expired counters of failed logins", verb(&arguments)));
        }
        Ok(())
    })
}

fn verb(arguments: &Arguments) -> &'static str {
    if arguments.dry_run { "Would delete" } else { "Deleted" }
}

async fn prune(db: &dyn Connection, arguments: &Arguments, now: Timestamp) -> Result<(), Failure> {
    for (table, days, what) in [
        (Table::Sessions, arguments.sessions_days, "sessions that expired more than"),
        (Table::AuditLogs, arguments.audit_days, "audit rows that were written more than"),
    ] {
        let Some(days) = days else { continue };
        let cutoff = days_before(now, days)?;
        let count = match arguments.dry_run {
            true => table.count(db, cutoff).await?,
            false => delete(db, table, cutoff).await?,
        };
        say(format!("{} {count} {what} {} ago", verb(arguments), spelled(days)));
    }
    Ok(())
}

/// Deletes the rows older than `cutoff`, in short transactions; returns their number.
async fn delete(db: &dyn Connection, table: Table, cutoff: Timestamp) -> Result<i64, db::Error> {
    let (mut after, mut count) = (i64::MIN, 0);
    while let Some(last) = table.next_batch(db, cutoff, after, BATCH_ROWS_MAX).await? {
        let started = Instant::now();
        count += i64::try_from(table.delete(db, cutoff, after, last).await?).unwrap_or(0);
        after = last;
        // SQLite does not queue writers: leave the write lock free for as long as it was held. The time may include a long
        // wait for the lock, which need not be repeated.
        thread::sleep(started.elapsed().min(PAUSE_MAX));
    }
    Ok(count)
}

/// The part of a stored counter (`throttle::Counter` in `lanterne-core`) that pruning needs.
#[derive(Deserialize)]
struct Counter {
    /// Unix time in milliseconds.
    expires_at: i64,
}

/// Deletes expired throttle counters; returns their number. An attempt that is counted at the same moment may be lost.
fn forget_counters(store: &Store, dry_run: bool, now: Timestamp) -> Result<i64, Failure> {
    let mut count = 0;
    for key in store.keys()?.iter().filter(|key| key.starts_with(COUNTER_PREFIX)) {
        // An unreadable counter counts nothing.
        let is_current = |value: Vec<u8>| {
            serde_json::from_slice::<Counter>(&value).is_ok_and(|counter| counter.expires_at > now.unix_millis())
        };
        if store.get(key)?.is_some_and(|value| !is_current(value)) {
            if !dry_run {
                store.delete(key)?;
            }
            count += 1;
        }
    }
    Ok(count)
}

fn days_before(now: Timestamp, days: u32) -> Result<Timestamp, Failure> {
    let seconds = now.unix() - i64::from(days) * SECONDS_PER_DAY;
    Timestamp::from_unix(seconds).ok_or_else(|| Failure::Failed("the system clock is out of range".to_owned()))
}

fn spelled(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
