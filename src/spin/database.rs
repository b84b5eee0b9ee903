//! A pool of database connections, kept by the instance between requests.
//!
//! On the host every `open` is a new SQLite connection, which costs more than most statements. An instance may serve several
//! requests at once, each with a connection of its own: on a shared one, their transactions would mix.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use lanterne_database::{self as db, BoxFuture, Connection, Row, Value};
use spin_sdk::sqlite;

/// The number of requests that an instance serves at once on Spin.
const IDLE_MAX: usize = 16;

lanterne_database::host_values!(sqlite::Value);

static IDLE: Mutex<Vec<sqlite::Connection>> = Mutex::new(Vec::new());

/// A connection of one request. Dropping it returns it to the pool.
pub(crate) struct Pooled {
    /// `None` only while dropping.
    connection: Option<sqlite::Connection>,
    /// Whether it is not set up yet, or in a transaction.
    is_unfinished: Cell<bool>,
    /// Whether a statement failed: SQLite remembers some errors after their cause is gone.
    has_failed: Cell<bool>,
}

/// Returns an idle connection, or opens one.
///
/// # Errors
/// The host refuses to open the database.
pub(crate) async fn check_out() -> Result<Pooled, db::Error> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    if let Some(connection) = idle {
        return Ok(Pooled::new(connection, false));
    }
    let pooled = Pooled::new(sqlite::Connection::open_default().await.map_err(host_error)?, true);
    db::prepare(&pooled).await?;
    pooled.is_unfinished.set(false);
    Ok(pooled)
}

impl Pooled {
    fn new(connection: sqlite::Connection, is_unfinished: bool) -> Self {
        let is_unfinished = Cell::new(is_unfinished);
        Self { connection: Some(connection), is_unfinished, has_failed: Cell::new(false) }
    }

    async fn execute(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        let result = self.try_execute(sql, params).await;
        self.has_failed.set(self.has_failed.get() || result.is_err());
        result
    }

    async fn try_execute(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        let connection = self.connection.as_ref().ok_or_else(|| db::Error::Host("connection is closed".to_owned()))?;
        if sql.starts_with("BEGIN") {
            self.is_unfinished.set(true);
        }
        let result = connection.execute(sql, params.into_iter().map(to_host)).await.map_err(host_error)?;
        let rows = result.collect().await.map_err(host_error)?;
        if matches!(sql, "COMMIT" | "ROLLBACK") {
            self.is_unfinished.set(false);
        }
        Ok(rows.into_iter().map(|row| Row::new(row.values.into_iter().map(from_host).collect())).collect())
    }
}

impl Connection for Pooled {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        Box::pin(self.execute(sql, params))
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // A cancelled request leaves its transaction open: closing the connection rolls it back.
        if self.is_unfinished.get() || self.has_failed.get() {
            return;
        }
        let Some(connection) = self.connection.take() else { return };
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }
}

fn host_error(error: sqlite::Error) -> db::Error {
    db::Error::Host(error.to_string())
}
