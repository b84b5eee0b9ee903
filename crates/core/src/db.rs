//! The database as the domain sees it: one statement at a time, typed rows, transactions.
//!
//! The API component and the command components reach SQLite through different functions of the same host interface,
//! one asynchronous, one not. Both implement [`Connection`], so that every statement of this crate is written once.

use std::future::Future;

/// A value of SQLite's five storage classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `NULL`
    Null,
    /// A 64-bit integer; also what a boolean column holds, as 0 or 1.
    Integer(i64),
    /// A double.
    Real(f64),
    /// UTF-8 text; also what a time column holds.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What went wrong between this crate and the database. Never shown to a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host refused to open the database or to run the statement.
    #[error("database: {0}")]
    Host(String),
    /// A column did not hold what the program expects there.
    #[error("unexpected column: {0}")]
    Column(String),
}

/// An open connection: what the host gives, and nothing else of this crate touches the host.
pub trait Connection: Send + Sync {
    /// Runs one statement with `params` for its `?1`, `?2`, ... and returns all its rows, once they are all read.
    fn query(&self, sql: &str, params: Vec<Value>) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;
}

/// One row of a result.
#[derive(Debug)]
pub struct Row(Vec<Value>);

impl Row {
    /// A row of the given columns, in the order of the statement.
    #[must_use]
    pub fn new(columns: Vec<Value>) -> Self {
        Self(columns)
    }

    /// The column at `index`, from 0; an error if it is missing or not a `T`, never a default.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Error> {
        let value = self.0.get(index);
        T::from_value(value.ok_or_else(|| Error::Column(format!("no column {index}")))?)
    }
}

/// A Rust type that a column can be read as.
pub trait FromValue: Sized {
    /// Reads `value`, or says what it is instead.
    fn from_value(value: &Value) -> Result<Self, Error>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Integer(integer) => Ok(*integer),
            other => Err(unexpected("an integer", other)),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, Error> {
        i64::from_value(value).map(|integer| integer != 0)
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(unexpected("text", other)),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

fn unexpected(wanted: &str, got: &Value) -> Error {
    // The kind only: the value itself could be a password hash, and errors are logged.
    let kind = match got {
        Value::Null => "NULL",
        Value::Integer(_) => "an integer",
        Value::Real(_) => "a real",
        Value::Text(_) => "text",
        Value::Blob(_) => "a blob",
    };
    Error::Column(format!("expected {wanted}, got {kind}"))
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement's `?1`, `?2`, ...: `params![id, email, now]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}

/// What a connection needs before its first statement: references between tables hold, and a writer that
/// meets another one waits up to five seconds instead of failing.
pub async fn prepare(db: &impl Connection) -> Result<(), Error> {
    db.query("PRAGMA foreign_keys = ON", vec![]).await?;
    db.query("PRAGMA busy_timeout = 5000", vec![]).await?;
    Ok(())
}

/// Runs `work` in one transaction on `db`: all of it is kept if it returns `Ok`, nothing if it returns `Err`.
///
/// The write lock is taken at the start (`BEGIN IMMEDIATE`): a transaction that reads first and is refused the lock
/// later could not wait for it (SQLite answers `SQLITE_BUSY` at once to avoid a deadlock).
pub async fn transaction<T, E: From<Error>>(
    db: &impl Connection,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    db.query("BEGIN IMMEDIATE", vec![]).await?;
    let result = match work.await {
        Ok(value) => db.query("COMMIT", vec![]).await.map(|_| value).map_err(E::from),
        Err(error) => Err(error),
    };
    if result.is_err() {
        // A failed statement may already have ended the transaction; the first error is the one to tell.
        let _ = db.query("ROLLBACK", vec![]).await;
    }
    result
}
