//! `prune`: deletes old sessions, audit rows and messages, and expired throttle counters, and gives free space back.
//!
//! Deleting is safe beside a busy server: rows are found without a lock and deleted in small transactions, each followed
//! by a pause for other writers. An interrupted run can be repeated.

mod arguments;
mod retention;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arguments::Arguments;
use lanterne_command::{Failure, open_migrated, run, say};
use lanterne_database::{self as db, Connection, Timestamp, params};
use retention::Table;

/// The rows of one transaction: a few milliseconds of work.
const BATCH_ROWS_MAX: i64 = 500;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The longest pause between two batches.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The longest that a counter may have to live, in milliseconds: twice as long as any does. One that expires later was
/// written before the clock was set back.
const COUNTER_LIFETIME_MAX: i64 = 2 * SECONDS_PER_DAY * 1000;

const USAGE: &str = "\
Deletes old sessions, audit rows, messages and throttle counters, also beside a
running server.

Usage: prune [--sessions-days N] [--spent-days N] [--audit-days N]
             [--mail-days N] [--throttle] [--compact] [--dry-run]

Options:
  --sessions-days N  delete sessions whose refresh token expired more than N days
                     ago; ended sessions are kept until then, so that a used
                     token that comes back is recognized
  --spent-days N     delete the rows of refresh tokens that were used more than N
                     days ago, also of a session in use, which has a row for each
                     refresh. From the lifetime of a refresh token on (7 days by
                     default) nothing is lost: the token has expired. With fewer
                     days, one that comes back is refused as unknown, instead of
                     ending its session as stolen
  --audit-days N     delete audit rows older than N days
  --mail-days N      delete messages older than N days, which were delivered or
                     given up, and tokens that expired more than N days ago
  --throttle         delete expired counters of attempts. The server removes them
                     itself; this deletes what an attack has left
  --compact          then rebuild the file (VACUUM), so that the disk gets free
                     space back. Holds the write lock all the time, some seconds
                     per GB, and needs as much free disk as the file
  --dry-run          only count, change nothing
  help               show this text

N is a whole number from 1. Only what the options name is deleted.

Exit status: 0 on success, 1 on failure, 2 on a usage error (1 on Spin).

Run it with:
  cargo lanterne prune --sessions-days 30 --spent-days 7 --audit-days 365
  spin up -f spin.commands.toml -c prune -- --sessions-days 30 --audit-days 365";

fn main() -> ExitCode {
    run("prune", async |words| {
        let arguments = arguments::parse(&words)
            .map_err(|fault| Failure::Usage(format!("{fault} (the argument `help` shows the usage)")))?;
        let Some(arguments) = arguments else {
            say(USAGE);
            return Ok(());
        };
        let (db, now) = (open_migrated().await?, Timestamp::now());
        let db: &dyn Connection = &db;
        prune(db, &arguments, now).await?;
        if arguments.throttle {
            let count = forget_counters(db, arguments.dry_run, now).await?;
            say(format!("{} {count} expired counters of attempts", verb(&arguments)));
        }
        if arguments.compact {
            compact(db, arguments.dry_run).await?;
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
        (Table::SpentSessions, arguments.spent_days, "rows of refresh tokens that were used more than"),
        (Table::AuditLogs, arguments.audit_days, "audit rows that were written more than"),
        (Table::Messages, arguments.mail_days, "messages that were written more than"),
        (Table::Tokens, arguments.mail_days, "one-time tokens that expired more than"),
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

/// Rebuilds the file without its free pages. Meanwhile a server answers writes with 503 after 3 s.
async fn compact(db: &dyn Connection, dry_run: bool) -> Result<(), Failure> {
    if !db.is_file() {
        return Err(Failure::Failed("a database server does not offer VACUUM, and manages its disk itself".to_owned()));
    }
    let (size, free) = (pages(db, "page_count").await?, pages(db, "freelist_count").await?);
    if dry_run {
        say(format!("Would compact the database of {size} KiB, {free} KiB of which are free"));
        return Ok(());
    }
    db.query("VACUUM", vec![]).await?;
    // The new file is in the log until a checkpoint. Readers may delay that; it is then the next one's.
    db.query("PRAGMA wal_checkpoint(TRUNCATE)", vec![]).await?;
    say(format!("Compacted the database from {size} to {} KiB", pages(db, "page_count").await?));
    Ok(())
}

/// Returns the size of the pages that a pragma counts, in KiB.
async fn pages(db: &dyn Connection, counted_by: &str) -> Result<i64, db::Error> {
    let sql = format!("SELECT {counted_by} * page_size / 1024 FROM pragma_{counted_by}, pragma_page_size");
    let rows = db.query(&sql, vec![]).await?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

/// Deletes the counters of attempts that count no more; returns their number. The API deletes two for each new one.
async fn forget_counters(db: &dyn Connection, dry_run: bool, now: Timestamp) -> Result<i64, db::Error> {
    // Each half is a range of the index on this expression.
    const EXPIRED: &str =
        "FROM throttle WHERE max(window_ends_at, paused_until) <= ?1 OR max(window_ends_at, paused_until) > ?2";
    let params = || params![now.unix_millis(), now.unix_millis() + COUNTER_LIFETIME_MAX];
    if dry_run {
        return db.query_value(&format!("SELECT count(*) {EXPIRED}"), params()).await;
    }
    let sql = format!("DELETE FROM throttle WHERE key IN (SELECT key {EXPIRED} LIMIT {BATCH_ROWS_MAX}) RETURNING 1");
    let mut count = 0;
    loop {
        let started = Instant::now();
        let deleted = i64::try_from(db.query(&sql, params()).await?.len()).unwrap_or(0);
        count += deleted;
        if deleted < BATCH_ROWS_MAX {
            return Ok(count);
        }
        thread::sleep(started.elapsed().min(PAUSE_MAX));
    }
}

fn days_before(now: Timestamp, days: u32) -> Result<Timestamp, Failure> {
    let seconds = now.unix() - i64::from(days) * SECONDS_PER_DAY;
    Timestamp::from_unix(seconds).ok_or_else(|| Failure::Failed("the system clock is out of range".to_owned()))
}

fn spelled(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
