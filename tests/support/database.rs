//! The server's SQLite file, opened from the test while the server runs.
#![allow(dead_code, reason = "shared by two test binaries, which use different parts")]

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Params};
use serde_json::{Value, json};

/// A connection to an SQLite file.
pub(crate) struct Database(Connection);

impl Database {
    /// Opens an existing file.
    #[track_caller]
    pub(crate) fn open(path: &Path) -> Self {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens a file, creating it and its folder if missing.
    #[track_caller]
    pub(crate) fn create(path: &Path) -> Self {
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder can be written");
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    #[track_caller]
    fn open_with(path: &Path, flags: OpenFlags) -> Self {
        let connection = Connection::open_with_flags(path, flags);
        let connection = connection.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        connection.busy_timeout(Duration::from_secs(10)).expect("a new connection takes settings");
        // Off, as in the Python server and the `sqlite3` program; rusqlite's bundled SQLite turns it on.
        connection.pragma_update(None, "foreign_keys", false).expect("a new connection takes settings");
        Self(connection)
    }

    /// Returns the rows of a query as a JSON array of arrays: `json!([[1, "a@example.org", null]])`.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str, params: impl Params) -> Value {
        let mut statement = self.0.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|index| row.get_ref(index).map(to_json)).collect();
        let rows = statement.query_map(params, row).and_then(Iterator::collect::<Result<Vec<Value>, _>>);
        Value::Array(rows.unwrap_or_else(|error| panic!("{sql}: {error}")))
    }

    /// Returns the only column of the only row of a query.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str, params: impl Params) -> Value {
        let rows = self.rows(sql, params);
        let [row] = rows.as_array().map_or(&[][..], Vec::as_slice) else { panic!("{sql}: {rows} is not one row") };
        let [value] = row.as_array().map_or(&[][..], Vec::as_slice) else { panic!("{sql}: {row} is not one column") };
        value.clone()
    }

    /// Runs one statement, without foreign keys, and returns the number of changed rows.
    #[track_caller]
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> usize {
        self.0.execute(sql, params).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs several statements.
    #[track_caller]
    pub(crate) fn execute_all(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => json!(integer),
        ValueRef::Real(real) => json!(real),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => json!(bytes),
    }
}

/// Whether `value` is a timestamp as SQLAlchemy writes it: `2026-01-31 12:00:00.000000`.
pub(crate) fn is_sql_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        let shape = "dddd-dd-dd dd:dd:dd.dddddd";
        text.len() == shape.len()
            && text.chars().zip(shape.chars()).all(|(got, want)| match want {
                'd' => got.is_ascii_digit(),
                want => got == want,
            })
    })
}
