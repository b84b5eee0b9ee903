//! Runs the migrator on SQLite files, without a host.

mod adoption;
mod runner;
mod schema;
mod script;

use std::cell::RefCell;
use std::path::Path;

use futures_lite::future::block_on;
use lanterne_database::{Row, SqliteFile};
use tempfile::TempDir;

use crate::arguments::{Direction, Target};
use crate::error::Error;
use crate::migrations::{MIGRATIONS, Migration};
use crate::runner::migrate;
use crate::versions::{self, State};

/// All migrations are applied.
const HEAD: Target = Target::Position(MIGRATIONS.len());
/// No migration is applied.
const BASE: Target = Target::Position(0);

/// Creates a database; its folder is deleted when it is dropped.
fn database() -> (TempDir, SqliteFile) {
    let folder = TempDir::new().expect("a temporary folder");
    let db = open(folder.path());
    (folder, db)
}

/// Opens or creates the file in `folder`.
fn open(folder: &Path) -> SqliteFile {
    SqliteFile::open(folder.join("test.db")).expect("the file opens")
}

/// Runs the statements of a test.
fn execute(db: &SqliteFile, sql: &str) {
    db.with(|connection| connection.execute_batch(sql)).expect("the test's own SQL");
}

/// Runs a query of a test.
fn rows(db: &SqliteFile, sql: &str) -> Vec<Row> {
    db.query_now(sql, vec![]).expect("the test's own SQL")
}

/// Runs a query of one text column.
fn texts(db: &SqliteFile, sql: &str) -> Vec<String> {
    rows(db, sql).iter().map(|row| row.get(0).expect("text")).collect()
}

/// The definitions of all tables and indexes but `schema_migrations`, without the quotes that SQLite adds to the name of a
/// renamed table.
fn definitions(db: &SqliteFile) -> Vec<String> {
    let sql = "SELECT replace(sql, '\"', '') FROM sqlite_master
               WHERE sql IS NOT NULL AND tbl_name NOT IN ('schema_migrations', 'sqlite_sequence') ORDER BY 1";
    texts(db, sql)
}

/// Upgrades, and returns the reported lines.
fn up(db: &SqliteFile, migrations: &[Migration], target: Target) -> Result<Vec<String>, Error> {
    run(db, migrations, Direction::Up, target)
}

/// Downgrades, and returns the reported lines.
fn down(db: &SqliteFile, migrations: &[Migration], target: Target) -> Result<Vec<String>, Error> {
    run(db, migrations, Direction::Down, target)
}

fn run(db: &SqliteFile, migrations: &[Migration], direction: Direction, target: Target) -> Result<Vec<String>, Error> {
    let lines = RefCell::new(Vec::new());
    block_on(migrate(db, migrations, direction, target, |line| lines.borrow_mut().push(line)))?;
    Ok(lines.into_inner())
}

/// Reads the state of a database that is accepted.
fn state(db: &SqliteFile, migrations: &[Migration]) -> State {
    block_on(versions::read(db, migrations)).expect("the database is accepted")
}
