//! An SQLite file opened directly, for tests of what needs no host.

use std::future::ready;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value as SqliteValue;

use crate::{BoxFuture, Connection, Error, Row, Value};

crate::host_values!(SqliteValue);

/// A connection to an SQLite file, or to a database in memory.
pub struct SqliteFile(Mutex<rusqlite::Connection>);

impl SqliteFile {
    /// Opens or creates the file. A writer that meets another one fails at once.
    ///
    /// # Errors
    /// SQLite cannot open it.
    pub fn open(path: impl AsRef<Path>) -> rusqlite::Result<Self> {
        Self::new(rusqlite::Connection::open(path)?)
    }

    /// Opens a new database in memory.
    ///
    /// # Errors
    /// SQLite cannot allocate it.
    pub fn in_memory() -> rusqlite::Result<Self> {
        Self::new(rusqlite::Connection::open_in_memory()?)
    }

    fn new(connection: rusqlite::Connection) -> rusqlite::Result<Self> {
        connection.busy_timeout(Duration::ZERO)?;
        // As in `lanterne`, so that tests see its query plans.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Calls `work` with the connection of rusqlite.
    pub fn with<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> T) -> T {
        work(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// That of SQLite.
    pub fn query_now(&self, sql: &str, params: Vec<Value>) -> rusqlite::Result<Vec<Row>> {
        self.with(|connection| {
            let mut statement = connection.prepare(sql)?;
            let columns = statement.column_count();
            let params = rusqlite::params_from_iter(params.into_iter().map(to_host));
            let rows = statement.query_map(params, |row| {
                let values = (0..columns).map(|index| row.get(index).map(from_host));
                values.collect::<rusqlite::Result<Vec<_>>>().map(Row::new)
            })?;
            rows.collect()
        })
    }
}

impl Connection for SqliteFile {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, Error>> {
        let result = self.query_now(sql, params).map_err(|error| Error::Host(error.to_string()));
        Box::pin(ready(result))
    }
}
