//! Applies and reverts migrations, each in a transaction of its own.

use std::thread;
use std::time::Duration;

use lanterne_database::{self as db, Connection, transaction};
use lanterne_schema::statements;

use crate::arguments::{Direction, Target};
use crate::error::Error;
use crate::migrations::Migration;
use crate::versions;

/// Retry WAL mode every 20 ms, for a minute at most.
const WAL_ATTEMPTS_MAX: u32 = 3000;
const WAL_PAUSE: Duration = Duration::from_millis(20);
/// The longest part of a failed statement in an error message, in characters.
const STATEMENT_MAX: usize = 200;

/// Describes a position: `0001 create_accounts (head)`.
pub(crate) fn place(position: usize, migrations: &[Migration]) -> String {
    let head = if position == migrations.len() { " (head)" } else { "" };
    match migrations[..position].last() {
        Some(migration) => format!("{migration}{head}"),
        None => format!("base, with no migration applied{head}"),
    }
}

impl Direction {
    /// Returns how many migrations are applied at `target`, starting at `start`.
    ///
    /// # Errors
    /// [`Error::TooFar`] if there are not as many steps in this direction.
    pub(crate) fn goal(self, start: usize, target: Target, migrations: &[Migration]) -> Result<usize, Error> {
        let count = match target {
            Target::Position(position) => return Ok(position),
            Target::Steps(count) => count,
        };
        let (sign, goal) = match self {
            Self::Up => ('+', start.checked_add(count).filter(|goal| *goal <= migrations.len())),
            Self::Down => ('-', start.checked_sub(count)),
        };
        goal.ok_or_else(|| Error::TooFar { asked: format!("{sign}{count}"), place: place(start, migrations) })
    }

    /// Returns the next migration to apply or revert at `position`; `None` at or beyond `goal`.
    pub(crate) fn next(self, position: usize, goal: usize, migrations: &[Migration]) -> Option<&Migration> {
        match self {
            Self::Up => migrations[..goal].get(position),
            Self::Down => migrations[..position].last().filter(|migration| migration.revision > goal),
        }
    }
}

/// Applies or reverts migrations until `target`, and calls `report` after each.
///
/// # Errors
/// The database is refused, or a migration fails: none of its changes are kept, those of the ones before are.
pub(crate) async fn migrate(
    db: &dyn Connection,
    migrations: &[Migration],
    direction: Direction,
    target: Target,
    report: impl Fn(String),
) -> Result<(), Error> {
    // Reads only: a database that is refused keeps every byte.
    let state = versions::read_snapshot(db, migrations).await?.verified(migrations)?;
    let goal = direction.goal(state.position, target, migrations)?;
    prepare(db).await?;
    let verb = match direction {
        Direction::Up => "Applied",
        Direction::Down => "Reverted",
    };
    let mut has_changed = false;
    loop {
        let (position, done) = transaction(db, step(db, migrations, direction, goal)).await?;
        match done {
            Some(migration) => report(format!("{verb} {migration}")),
            None if has_changed => return Ok(()),
            None => {
                report(format!("Nothing to do: the database is at {}", place(position, migrations)));
                return Ok(());
            }
        }
        has_changed = true;
    }
}

/// Applies or reverts the next migration, if any; also returns the position before it. Another migrator may have been
/// faster, so the position is read under the write lock.
async fn step<'a>(
    db: &dyn Connection,
    migrations: &'a [Migration],
    direction: Direction,
    goal: usize,
) -> Result<(usize, Option<&'a Migration>), Error> {
    let position = versions::prepare(db, migrations).await?;
    let next = direction.next(position, goal, migrations);
    match (next, direction) {
        (None, _) => {}
        (Some(migration), Direction::Up) => {
            execute(db, migration, "up.sql", migration.up).await?;
            versions::record(db, migration).await?;
        }
        (Some(migration), Direction::Down) => {
            execute(db, migration, "down.sql", migration.down).await?;
            versions::delete(db, migration).await?;
        }
    }
    Ok((position, next))
}

/// Records that the database is at `position`, and runs nothing.
pub(crate) async fn stamp(db: &dyn Connection, migrations: &[Migration], position: usize) -> Result<(), Error> {
    transaction(db, versions::stamp(db, migrations, position)).await
}

/// Applies the settings that SQLite refuses inside a transaction.
pub(crate) async fn prepare(db: &dyn Connection) -> Result<(), Error> {
    // With foreign keys enforced, rebuilding a table (SQLite, "ALTER TABLE", section 7) would delete the rows that refer
    // to it. `execute` checks them instead.
    db.query("PRAGMA foreign_keys = OFF", vec![]).await?;
    check_foreign_keys(db).await?;
    if !db.is_file() {
        return Ok(());
    }
    // In WAL mode readers do not block a writer; the file keeps the mode. It is queried first, since the change needs the
    // database exclusively, and the busy timeout does not apply to it.
    for _ in 0..WAL_ATTEMPTS_MAX {
        if is_wal(db).await? {
            return Ok(());
        }
        match db.query("PRAGMA journal_mode = WAL", vec![]).await.map_err(Error::from) {
            Err(Error::Busy) => thread::sleep(WAL_PAUSE),
            // On a file system without WAL support SQLite keeps the old mode and reports no error.
            outcome => return outcome.map(drop),
        }
    }
    Err(Error::Busy)
}

/// Fails if foreign keys are enforced: SQLite ignores the setting inside a transaction, a host may not pass it on, and a server
/// forgets it with the connection.
async fn check_foreign_keys(db: &dyn Connection) -> Result<(), Error> {
    let rows = db.query("PRAGMA foreign_keys", vec![]).await?;
    if rows.first().map_or(Ok(0), |row| row.get::<i64>(0))? == 0 { Ok(()) } else { Err(Error::ForeignKeys) }
}

async fn is_wal(db: &dyn Connection) -> Result<bool, db::Error> {
    let rows = db.query("PRAGMA journal_mode", vec![]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.get::<String>(0)? == "wal"))
}

/// Runs the statements of one file of `migration`.
async fn execute(db: &dyn Connection, migration: &Migration, file: &str, sql: &str) -> Result<(), Error> {
    let file = format!("migrations/{}/{file}", migration.folder());
    let dangling_before = dangling_references(db).await?;
    check_foreign_keys(db).await?;
    for statement in statements(sql) {
        db.query(statement.text, vec![]).await.map_err(|cause| Error::Statement {
            file: file.clone(),
            line: statement.line,
            statement: on_one_line(statement.text),
            cause,
        })?;
    }
    // The Python server does not enforce references: its database may have dangling ones already.
    if dangling_references(db).await? > dangling_before { Err(Error::Dangling(file)) } else { Ok(()) }
}

async fn dangling_references(db: &dyn Connection) -> Result<i64, db::Error> {
    let rows = db.query("SELECT count(*) FROM pragma_foreign_key_check", vec![]).await?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

fn on_one_line(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(STATEMENT_MAX) {
        Some((cut, _)) => format!("{} ...", &line[..cut]),
        None => line,
    }
}
