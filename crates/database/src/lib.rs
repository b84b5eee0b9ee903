//! SQLite as the components see it: one statement at a time, typed rows, transactions.
//!
//! The API component calls the asynchronous functions of `spin:sqlite`, the command components the synchronous ones, and
//! tests use a file without a host. All three implement [`Connection`], so that every statement is written once.

mod reconnecting;
mod timestamp;
mod value;

#[cfg(feature = "rusqlite")]
mod file;

use std::future::Future;
use std::pin::Pin;

#[cfg(feature = "rusqlite")]
pub use file::SqliteFile;
pub use reconnecting::{Driver, Place, Reconnecting};
pub use timestamp::Timestamp;
pub use value::{FromValue, Row, Value};

/// A database error. Its text is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host refused to open the database or to run the statement.
    #[error("database: {0}")]
    Host(String),
    /// A column holds another type than the program expects.
    #[error("unexpected column: {0}")]
    Column(String),
}

impl Error {
    /// Returns whether a foreign key refused the statement, which the host reports as text only.
    #[must_use]
    pub fn is_foreign_key_violation(&self) -> bool {
        matches!(self, Self::Host(message) if message.contains("FOREIGN KEY constraint failed"))
    }

    /// Returns SQLite's message, without names of files, if the database is locked, full, read-only, damaged or missing. The
    /// host reports this as text only.
    #[must_use]
    pub fn unavailable(&self) -> Option<&'static str> {
        let Self::Host(message) = self else { return None };
        UNAVAILABLE.into_iter().find(|text| message.contains(text))
    }

    fn has_text(&self, texts: &[&str]) -> bool {
        matches!(self, Self::Host(message) if texts.iter().any(|text| message.contains(text)))
    }
}

/// SQLite's messages for `SQLITE_BUSY`, `LOCKED`, `READONLY`, `IOERR`, `CORRUPT`, `FULL`, `CANTOPEN`, `PROTOCOL` and
/// `NOTADB`; then those of a libSQL server that is overloaded or was restarted, and of Spin about one that it cannot reach.
const UNAVAILABLE: [&str; 16] = [
    "database is locked",
    "database table is locked",
    "attempt to write a readonly database",
    "disk I/O error",
    "database disk image is malformed",
    "database or disk is full",
    "unable to open database file",
    "locking protocol",
    "file is not a database",
    "Transaction timed out",
    "stream has expired",
    "invalid baton",
    "Timed out while opening database connection",
    "Too many concurrent requests",
    "http error",
    "error reading a body from connection",
];

/// A boxed future, so that traits with asynchronous methods can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An open database connection.
pub trait Connection {
    /// Runs one statement with `params` for its `?1`, `?2`, ... and returns all its rows.
    ///
    /// # Errors
    /// The host refused the statement, or reading its rows failed.
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, Error>>;

    /// Returns whether the database is a file of the host, and not a server, which refuses most pragmas. Known once the
    /// connection is open.
    fn is_file(&self) -> bool {
        true
    }
}

impl dyn Connection + '_ {
    /// Runs a statement that returns no rows, or whose rows do not matter.
    ///
    /// # Errors
    /// Those of [`Connection::query`].
    pub async fn execute(&self, sql: &str, params: Vec<Value>) -> Result<(), Error> {
        self.query(sql, params).await.map(drop)
    }

    /// Runs a statement and converts its first row, if there is one.
    ///
    /// # Errors
    /// Those of [`Connection::query`], and that of `convert`.
    pub async fn query_first<T>(
        &self,
        sql: &str,
        params: Vec<Value>,
        convert: impl FnOnce(&Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.query(sql, params).await?.first().map(convert).transpose()
    }

    /// Runs a statement of exactly one value, such as `SELECT count(*)`.
    ///
    /// # Errors
    /// Those of [`Connection::query`]; [`Error::Column`] if there is no row, or the value has another type.
    pub async fn query_value<T: FromValue>(&self, sql: &str, params: Vec<Value>) -> Result<T, Error> {
        let value = self.query_first(sql, params, |row| row.get(0)).await?;
        value.ok_or_else(|| Error::Column("no row".to_owned()))
    }
}

/// Builds the parameters of a statement: `params![id, email, now]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::Value::from($value)),*] };
}

// The statements of a transaction, which [`Reconnecting`] recognizes.
const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// Runs `work` in one transaction on `db`: commits if it returns `Ok`, rolls back if it returns `Err`.
///
/// Takes the write lock at the start (`BEGIN IMMEDIATE`): SQLite answers `SQLITE_BUSY` at once to a transaction that
/// reads first and asks for the lock later, to avoid a deadlock.
///
/// # Errors
/// That of `work`, or of BEGIN or COMMIT.
pub async fn transaction<T, E: From<Error>>(
    db: &dyn Connection,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    db.query(BEGIN, vec![]).await?;
    let result = match work.await {
        Ok(value) => db.query(COMMIT, vec![]).await.map(|_| value).map_err(E::from),
        Err(error) => Err(error),
    };
    if result.is_err() {
        // A failed statement may already have ended the transaction; the first error is the one to report.
        let _ = db.query(ROLLBACK, vec![]).await;
    }
    result
}
