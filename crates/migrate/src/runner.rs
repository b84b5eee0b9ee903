//! From where the database is to where it should be, one migration and one transaction at a time.

use std::thread;
use std::time::Duration;

use lanterne_command::BUSY_TIMEOUT;
use lanterne_database::Timestamp;
use lanterne_database::{self as db, Connection, transaction};

use crate::arguments::Target;
use crate::error::Error;
use crate::migrations::Migration;
use crate::statements::statements;
use crate::versions;

/// How often, and at which distance, it is asked for what SQLite itself does not wait for: for a minute, too.
const WAL_ATTEMPTS_MAX: u32 = 3000;
const WAL_PAUSE: Duration = Duration::from_millis(20);
/// The longest part of a failed statement that is repeated, in characters.
const STATEMENT_MAX: usize = 200;

/// What a position is called: `0001 create_accounts (head)`.
pub(crate) fn place(position: usize, migrations: &[Migration]) -> String {
    let head = if position == migrations.len() { " (head)" } else { "" };
    match position.checked_sub(1).and_then(|index| migrations.get(index)) {
        Some(migration) => format!("{migration}{head}"),
        None => format!("base, with no migration applied{head}"),
    }
}

/// Applies migrations until `target`, and tells `report` of each.
pub(crate) async fn upgrade(
    db: &impl Connection,
    migrations: &[Migration],
    target: Target,
    report: impl Fn(String),
) -> Result<(), Error> {
    let start = start(db, migrations).await?;
    let goal = upgrade_goal(start, migrations, target)?;
    prepare(db).await?;
    let mut changed = false;
    // Another migrator may have been faster: what is next is decided with the write lock in hand.
    while let Some(migration) = transaction(db, async {
        let now = Timestamp::now();
        let position = versions::ensure(db, migrations, now).await?;
        let Some(migration) = migrations[..goal].get(position) else { return Ok::<_, Error>(None) };
        execute(db, migration, "up.sql", migration.up).await?;
        versions::insert(db, migration, now).await?;
        Ok(Some(migration))
    })
    .await?
    {
        report(format!("Applied {migration}"));
        changed = true;
    }
    if !changed {
        report(nothing_to_do(db, migrations).await?);
    }
    Ok(())
}

/// Takes migrations back until `target`, and tells `report` of each.
pub(crate) async fn downgrade(
    db: &impl Connection,
    migrations: &[Migration],
    target: Target,
    report: impl Fn(String),
) -> Result<(), Error> {
    let start = start(db, migrations).await?;
    let goal = downgrade_goal(start, migrations, target)?;
    prepare(db).await?;
    let mut changed = false;
    while let Some(migration) = transaction(db, async {
        let position = versions::ensure(db, migrations, Timestamp::now()).await?;
        let Some(migration) = migrations[..position].last().filter(|last| last.revision > goal) else {
            return Ok::<_, Error>(None);
        };
        execute(db, migration, "down.sql", migration.down).await?;
        versions::delete(db, migration).await?;
        Ok(Some(migration))
    })
    .await?
    {
        report(format!("Took back {migration}"));
        changed = true;
    }
    if !changed {
        report(nothing_to_do(db, migrations).await?);
    }
    Ok(())
}

/// Notes that the database is at `position`, and runs nothing.
pub(crate) async fn stamp(
    db: &impl Connection,
    migrations: &[Migration],
    position: usize,
    report: impl Fn(String),
) -> Result<(), Error> {
    db.query(BUSY_TIMEOUT, vec![]).await?;
    transaction(db, versions::stamp(db, migrations, position, Timestamp::now())).await?;
    report(format!("Noted that the database is at {}; nothing was run", place(position, migrations)));
    Ok(())
}

/// How many migrations are applied once `target` is reached from `start`.
pub(crate) fn upgrade_goal(start: usize, migrations: &[Migration], target: Target) -> Result<usize, Error> {
    match target {
        Target::Position(position) => Ok(position),
        Target::Steps(count) => Some(start.saturating_add(count))
            .filter(|goal| *goal <= migrations.len())
            .ok_or_else(|| Error::TooFar { asked: format!("+{count}"), place: place(start, migrations) }),
    }
}

/// How many migrations are left once `target` is reached from `start`.
pub(crate) fn downgrade_goal(start: usize, migrations: &[Migration], target: Target) -> Result<usize, Error> {
    match target {
        Target::Position(position) => Ok(position),
        Target::Steps(count) => start
            .checked_sub(count)
            .ok_or_else(|| Error::TooFar { asked: format!("-{count}"), place: place(start, migrations) }),
    }
}

/// Where the database is. Only reads: what is not ours stays as it is, down to the last byte.
async fn start(db: &impl Connection, migrations: &[Migration]) -> Result<usize, Error> {
    db.query(BUSY_TIMEOUT, vec![]).await?;
    versions::reading(db, versions::verified_position(db, migrations)).await
}

async fn nothing_to_do(db: &impl Connection, migrations: &[Migration]) -> Result<String, Error> {
    let position = versions::position(db, migrations).await?;
    Ok(format!("Nothing to do: the database is at {}", place(position, migrations)))
}

/// What cannot be done inside a transaction.
async fn prepare(db: &impl Connection) -> Result<(), Error> {
    // A table is changed by building its successor and dropping it (SQLite, "ALTER TABLE", section 7), which with
    // enforced references would delete the rows that refer to it. `execute` checks them instead.
    db.query("PRAGMA foreign_keys = OFF", vec![]).await?;
    // Readers and a writer that do not wait for each other; the file remembers it. Asked first, since the change itself
    // needs the database for itself; and for that SQLite does not wait, whatever the timeout is.
    for _ in 0..WAL_ATTEMPTS_MAX {
        if is_wal(db).await? {
            return Ok(());
        }
        match db.query("PRAGMA journal_mode = WAL", vec![]).await.map_err(Error::from) {
            Err(Error::Busy) => thread::sleep(WAL_PAUSE),
            // Where the file system cannot do it, SQLite keeps the mode it has and does not complain.
            outcome => return outcome.map(drop),
        }
    }
    Err(Error::Busy)
}

async fn is_wal(db: &impl Connection) -> Result<bool, db::Error> {
    let rows = db.query("PRAGMA journal_mode", vec![]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.get::<String>(0)? == "wal"))
}

/// Runs the statements of one file of `migration`.
async fn execute(db: &impl Connection, migration: &Migration, file: &str, sql: &str) -> Result<(), Error> {
    let file = format!("migrations/{}/{file}", migration.folder());
    let dangling = dangling(db).await?;
    for statement in statements(sql) {
        db.query(statement.text, vec![]).await.map_err(|cause| Error::Statement {
            file: file.clone(),
            line: statement.line,
            statement: on_one_line(statement.text),
            cause,
        })?;
    }
    // A database of the Python server, which does not enforce references, may well have such rows already.
    if self::dangling(db).await? > dangling { Err(Error::Dangling(file)) } else { Ok(()) }
}

/// How many rows refer to a row that is not there.
async fn dangling(db: &impl Connection) -> Result<i64, db::Error> {
    let rows = db.query("SELECT count(*) FROM pragma_foreign_key_check", vec![]).await?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

fn on_one_line(statement: &str) -> String {
    let words: Vec<_> = statement.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(STATEMENT_MAX) {
        Some((cut, _)) => format!("{} ...", &line[..cut]),
        None => line,
    }
}
