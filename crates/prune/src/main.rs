//! `prune`: deletes sessions, audit rows and counters that nobody needs any more.
//!
//! It may run beside a busy server: what is to go is looked for by reading, which keeps nobody waiting, and goes in small
//! pieces with a pause after each, in which logins get their turn. Ended half-way it has deleted less, and that is all.

mod arguments;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arguments::Arguments;
use lanterne_command::{Failure, Store, open_migrated, run, say};
use lanterne_core::retention::Kind;
use lanterne_core::throttle;
use lanterne_database::Timestamp;
use lanterne_database::{self as db, Connection};

/// How many rows are deleted at a time: a few milliseconds' work.
const ROWS_MAX: i64 = 500;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

const USAGE: &str = "\
Deletes what is no longer needed, in small pieces, also beside a running server.

Usage: prune [--sessions-days N] [--audit-days N] [--throttle] [--dry-run]

Options:
  --sessions-days N  sessions that were over more than N days ago. One that was
                     ended before its time is over when its refresh token would
                     have expired: until then that token could come back, and
                     should be recognised as used
  --audit-days N     rows of the audit log that are older than N days
  --throttle         counters of wrong passwords that count no more
  --dry-run          count them, and delete nothing
  help               show this

N is a whole number from 1. There is no default: what is not named is kept.

Exit status: 0; 1 if it failed; 2 if what it was given is wrong (on Spin: 1).

Run it with:
  cargo lanterne prune --sessions-days 30 --audit-days 365 --throttle
  spin up -f spin.commands.toml -c prune -- --sessions-days 30 --throttle";

fn main() -> ExitCode {
    run("prune", async |words| {
        let arguments = arguments::parse(&words)
            .map_err(|fault| Failure::Usage(format!("{fault}; `prune help` says what it does")))?;
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
            say(format!("{} {count} counters of wrong passwords that count no more", verb(&arguments)));
        }
        Ok(())
    })
}

fn verb(arguments: &Arguments) -> &'static str {
    if arguments.dry_run { "Would delete" } else { "Deleted" }
}

async fn prune(db: &impl Connection, arguments: &Arguments, now: Timestamp) -> Result<(), Failure> {
    for (kind, days, what) in [
        (Kind::Sessions, arguments.sessions_days, "sessions that were over more than"),
        (Kind::AuditRows, arguments.audit_days, "audit rows that were written more than"),
    ] {
        let Some(days) = days else { continue };
        let cutoff = days_before(now, days)?;
        let count = match arguments.dry_run {
            true => kind.count(db, cutoff).await?,
            false => delete(db, kind, cutoff).await?,
        };
        say(format!("{} {count} {what} {} ago", verb(arguments), spelled(days)));
    }
    Ok(())
}

/// Deletes what is older than `cutoff`, in transactions so short that nobody waits for one.
async fn delete(db: &impl Connection, kind: Kind, cutoff: Timestamp) -> Result<i64, db::Error> {
    let (mut after, mut count) = (i64::MIN, 0);
    while let Some(last) = kind.next(db, cutoff, after, ROWS_MAX).await? {
        let start = Instant::now();
        count += i64::try_from(kind.delete(db, cutoff, after, last).await?).unwrap_or(0);
        after = last;
        give_way(start.elapsed());
    }
    Ok(count)
}

/// Deletes the counters that count no more. One that begins to count again in this very moment loses what it counted.
fn forget_counters(store: &Store, dry_run: bool, now: Timestamp) -> Result<i64, Failure> {
    let mut count = 0;
    for key in store.keys()?.iter().filter(|key| key.starts_with(throttle::KEY_PREFIX)) {
        if store.get(key)?.is_some_and(|kept| throttle::is_over(key, &kept, now)) {
            if !dry_run {
                store.delete(key)?;
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Leaves the write lock free for as long as it was held: SQLite has no queue, whoever waits looks again now and then.
fn give_way(held: Duration) {
    thread::sleep(held);
}

fn days_before(now: Timestamp, days: u32) -> Result<Timestamp, Failure> {
    let seconds = now.unix() - i64::from(days) * SECONDS_PER_DAY;
    Timestamp::from_unix(seconds).ok_or_else(|| Failure::Failed("the clock is wrong".to_owned()))
}

fn spelled(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
