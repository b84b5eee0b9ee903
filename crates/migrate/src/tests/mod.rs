//! What the tests of this crate share: the migrator on a real SQLite file, without a host.

mod adoption;
mod runner;
mod schema;
mod script;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Mutex;

use futures_lite::future::block_on;
use lanterne_database::{self as db, Connection, Row, Value};
use rusqlite::types::Value as Sqlite;
use tempfile::TempDir;

use crate::arguments::Target;
use crate::error::Error;
use crate::migrations::{MIGRATIONS, Migration};
use crate::runner::{downgrade, upgrade};

/// Where all migrations are applied.
pub(crate) const HEAD: Target = Target::Position(MIGRATIONS.len());
/// Where none is.
pub(crate) const BASE: Target = Target::Position(0);

/// A connection as a host gives it, without the host.
pub(crate) struct File(Mutex<rusqlite::Connection>);

impl File {
    /// Opens or makes the file in the folder.
    pub(crate) fn open(folder: &Path) -> Self {
        let connection = rusqlite::Connection::open(folder.join("test.db")).expect("the file opens");
        connection.busy_timeout(std::time::Duration::ZERO).expect("a new connection takes settings");
        Self(Mutex::new(connection))
    }

    /// Runs the test's own statements.
    pub(crate) fn run(&self, sql: &str) {
        self.0.lock().expect("no test panicked with it").execute_batch(sql).expect("the test's own SQL");
    }

    /// Runs one statement and returns its rows.
    pub(crate) fn query_now(&self, sql: &str, params: Vec<Value>) -> rusqlite::Result<Vec<Row>> {
        let connection = self.0.lock().expect("no test panicked with it");
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let params = params.into_iter().map(|value| match value {
            Value::Null => Sqlite::Null,
            Value::Integer(integer) => Sqlite::Integer(integer),
            Value::Real(real) => Sqlite::Real(real),
            Value::Text(text) => Sqlite::Text(text),
            Value::Blob(bytes) => Sqlite::Blob(bytes),
        });
        let rows = statement.query_map(rusqlite::params_from_iter(params), |row| {
            let column = |index| {
                Ok(match row.get(index)? {
                    Sqlite::Null => Value::Null,
                    Sqlite::Integer(integer) => Value::Integer(integer),
                    Sqlite::Real(real) => Value::Real(real),
                    Sqlite::Text(text) => Value::Text(text),
                    Sqlite::Blob(bytes) => Value::Blob(bytes),
                })
            };
            (0..columns).map(column).collect::<rusqlite::Result<Vec<_>>>().map(Row::new)
        })?;
        rows.collect()
    }

    /// Every table and index but those of this program and of SQLite, which quotes the name of a table that it renamed.
    pub(crate) fn schema(&self) -> Vec<String> {
        let rows = self.query_now(
            "SELECT replace(sql, '\"', '') FROM sqlite_master
             WHERE sql IS NOT NULL AND tbl_name NOT IN ('schema_migrations', 'sqlite_sequence') ORDER BY 1",
            vec![],
        );
        rows.expect("a schema").iter().map(|row| row.get(0).expect("text")).collect()
    }
}

impl Connection for File {
    async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        self.query_now(sql, params).map_err(|error| db::Error::Host(error.to_string()))
    }
}

/// A new database and the folder that goes away with it.
pub(crate) fn database() -> (TempDir, File) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = File::open(folder.path());
    (folder, file)
}

/// Upgrades, and returns what was reported.
pub(crate) fn up(db: &File, migrations: &[Migration], target: Target) -> Result<Vec<String>, Error> {
    let lines = RefCell::new(Vec::new());
    block_on(upgrade(db, migrations, target, |line| lines.borrow_mut().push(line)))?;
    Ok(lines.into_inner())
}

/// Downgrades, and returns what was reported.
pub(crate) fn down(db: &File, migrations: &[Migration], target: Target) -> Result<Vec<String>, Error> {
    let lines = RefCell::new(Vec::new());
    block_on(downgrade(db, migrations, target, |line| lines.borrow_mut().push(line)))?;
    Ok(lines.into_inner())
}
