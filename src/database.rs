//! Connections to the app's database, kept by the instance from one request to the next.
//!
//! To the host every `open` is a new SQLite connection, which costs more than most statements. An instance may serve
//! several requests at once, so each takes a connection for itself: on a shared one their transactions would mix.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use lanterne_database::{self as db, Connection, Row, Value};
use spin_sdk::sqlite;

/// As many as an instance serves requests at once on Spin.
const IDLE_MAX: usize = 16;

static IDLE: Mutex<Vec<sqlite::Connection>> = Mutex::new(Vec::new());

/// A connection that is one request's alone; dropping it makes it available to the next.
pub(crate) struct Pooled {
    connection: Option<sqlite::Connection>,
    /// Whether it is in the middle of something that the next request must not inherit.
    must_close: AtomicBool,
}

/// An idle connection, or a new one.
pub(crate) async fn check_out() -> Result<Pooled, db::Error> {
    let idle = IDLE.lock().ok().and_then(|mut idle| idle.pop());
    if let Some(connection) = idle {
        return Ok(Pooled::new(connection));
    }
    let pooled = Pooled::new(sqlite::Connection::open_default().await.map_err(host_error)?);
    // Until it is prepared it must not be kept either.
    pooled.must_close.store(true, Ordering::Relaxed);
    db::prepare(&pooled).await?;
    pooled.must_close.store(false, Ordering::Relaxed);
    Ok(pooled)
}

impl Pooled {
    fn new(connection: sqlite::Connection) -> Self {
        Self { connection: Some(connection), must_close: AtomicBool::new(false) }
    }
}

impl Connection for Pooled {
    async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        let connection = self.connection.as_ref().ok_or_else(|| db::Error::Host("connection is closed".to_owned()))?;
        if sql.starts_with("BEGIN") {
            self.must_close.store(true, Ordering::Relaxed);
        }
        let result = connection.execute(sql, params.into_iter().map(to_host)).await.map_err(host_error)?;
        let rows = result.collect().await.map_err(host_error)?;
        if matches!(sql, "COMMIT" | "ROLLBACK") {
            self.must_close.store(false, Ordering::Relaxed);
        }
        Ok(rows.into_iter().map(|row| Row::new(row.values.into_iter().map(from_host).collect())).collect())
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // A request that was cancelled in the middle of a transaction leaves it open: closing the connection, instead
        // of keeping it, makes SQLite undo it.
        if let Some(connection) = self.connection.take()
            && !self.must_close.load(Ordering::Relaxed)
            && let Ok(mut idle) = IDLE.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push(connection);
        }
    }
}

fn host_error(error: sqlite::Error) -> db::Error {
    db::Error::Host(error.to_string())
}

fn to_host(value: Value) -> sqlite::Value {
    match value {
        Value::Null => sqlite::Value::Null,
        Value::Integer(integer) => sqlite::Value::Integer(integer),
        Value::Real(real) => sqlite::Value::Real(real),
        Value::Text(text) => sqlite::Value::Text(text),
        Value::Blob(bytes) => sqlite::Value::Blob(bytes),
    }
}

fn from_host(value: sqlite::Value) -> Value {
    match value {
        sqlite::Value::Null => Value::Null,
        sqlite::Value::Integer(integer) => Value::Integer(integer),
        sqlite::Value::Real(real) => Value::Real(real),
        sqlite::Value::Text(text) => Value::Text(text),
        sqlite::Value::Blob(bytes) => Value::Blob(bytes),
    }
}
