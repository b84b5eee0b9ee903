//! The app's database through the synchronous functions of `spin:sqlite`.
//!
//! A `wasi:cli/run@0.2` program cannot await, and has nothing else to do meanwhile: the futures here are ready at once.

use std::future::{Future, ready};

use lanterne_database::{self as db, Connection, Row, Value};

use crate::bindings::spin::sqlite::sqlite;

/// An open connection to the app's database, which the manifest calls `default`.
pub struct Database(sqlite::Connection);

impl Database {
    /// Opens the database, which makes its file if there is none.
    ///
    /// # Errors
    /// Whatever the host says, as text: the manifest does not grant the database, or its file cannot be opened.
    pub fn open() -> Result<Self, db::Error> {
        sqlite::Connection::open("default").map(Self).map_err(host_error)
    }

    fn execute(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        let params: Vec<_> = params.into_iter().map(to_host).collect();
        let result = self.0.execute(sql, &params).map_err(host_error)?;
        Ok(result.rows.into_iter().map(|row| Row::new(row.values.into_iter().map(from_host).collect())).collect())
    }
}

impl Connection for Database {
    fn query(&self, sql: &str, params: Vec<Value>) -> impl Future<Output = Result<Vec<Row>, db::Error>> + Send {
        ready(self.execute(sql, params))
    }
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

fn host_error(error: sqlite::Error) -> db::Error {
    db::Error::Host(match error {
        sqlite::Error::NoSuchDatabase => "the host has no database named \"default\"".to_owned(),
        sqlite::Error::AccessDenied => {
            "the manifest does not grant it: sqlite_databases = [\"default\"] is missing".to_owned()
        }
        sqlite::Error::InvalidConnection => "the connection is closed".to_owned(),
        sqlite::Error::DatabaseFull => "the database is full".to_owned(),
        sqlite::Error::Io(message) => message,
    })
}
