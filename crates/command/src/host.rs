//! What the host offers to a command: the app's database, key-value store and variables.
//!
//! A `wasi:cli/run@0.2` program cannot await and has nothing else to do: all functions are the synchronous ones, and the
//! futures of [`Connection`] are ready at once.

use std::future::ready;
use std::sync::atomic::{AtomicU8, Ordering};

use lanterne_database::{self as db, BoxFuture, Connection, Row, Value};

use self::bindings::exports::lanterne::backend::exit_status::Guest;
use self::bindings::spin::sqlite::sqlite;
use self::bindings::wasi::config::store as config;
use self::bindings::wasi::keyvalue::store as keyvalue;
use crate::Failure;

mod bindings {
    //! Generated from `wit/world.wit`, world `command`.
    #![allow(missing_docs, unreachable_pub, unsafe_code, reason = "generated code, private to this crate")]
    #![allow(clippy::all, clippy::pedantic, reason = "generated code")]
    #![allow(dead_code, unused_imports, reason = "the interfaces have more than the commands use")]

    use super::ExitStatus;

    wit_bindgen::generate!({ world: "command", path: "../../wit", generate_all });

    export!(ExitStatus);
}

lanterne_database::host_values!(sqlite::Value);

/// An open connection to the app's database, named `default` in the manifest.
pub struct Database(sqlite::Connection);

impl Database {
    /// Opens the database; creates its file if there is none.
    ///
    /// # Errors
    /// The manifest does not grant the database, or its file cannot be opened.
    pub fn open() -> Result<Self, db::Error> {
        sqlite::Connection::open("default").map(Self).map_err(database_error)
    }

    fn execute(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        let params: Vec<_> = params.into_iter().map(to_host).collect();
        let result = self.0.execute(sql, &params).map_err(database_error)?;
        Ok(result.rows.into_iter().map(|row| Row::new(row.values.into_iter().map(from_host).collect())).collect())
    }
}

impl Connection for Database {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        Box::pin(ready(self.execute(sql, params)))
    }
}

fn database_error(error: sqlite::Error) -> db::Error {
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

/// The app's key-value store, named `default` in the manifest.
pub struct Store(keyvalue::Bucket);

impl Store {
    /// Opens the store.
    ///
    /// # Errors
    /// The manifest does not grant the store, or it cannot be opened.
    pub fn open() -> Result<Self, Failure> {
        keyvalue::open("default").map(Self).map_err(store_error)
    }

    /// Calls `visit` with every key, page by page, so that no more than a page is in memory. `visit` may delete the key.
    pub fn for_each_key(&self, mut visit: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut cursor = None;
        loop {
            let page = self.0.list_keys(cursor.as_deref()).map_err(store_error)?;
            page.keys.iter().try_for_each(|key| visit(key))?;
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Returns the value of `key`.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.0.get(key).map_err(store_error)
    }

    /// Removes `key`, if it is there.
    pub fn delete(&self, key: &str) -> Result<(), Failure> {
        self.0.delete(key).map_err(store_error)
    }
}

fn store_error(error: keyvalue::Error) -> Failure {
    use keyvalue::Error;
    let reason = match error {
        Error::NoSuchStore => "the host has no store named \"default\"".to_owned(),
        Error::AccessDenied => "the manifest does not grant it: key_value_stores = [\"default\"] is missing".to_owned(),
        Error::Other(reason) => reason,
    };
    Failure::Failed(format!("key-value store: {reason}"))
}

/// Returns the value of a variable; `None` if the manifest does not grant it to this component.
pub fn variable(name: &str) -> Result<Option<String>, Failure> {
    config::get(name).map_err(|error| {
        let (config::Error::Upstream(message) | config::Error::Io(message)) = error;
        Failure::Failed(format!("variable {name}: {message}"))
    })
}

/// The interface `exit-status` of `wit/world.wit`, which a host calls after a failed run.
///
/// (`exit-with-code` of `wasi:cli/exit@0.2.12` would be the standard way, but Spin's command trigger 0.6 is built on an
/// older wasmtime, and a component that imports what its host does not offer does not run at all.)
struct ExitStatus;

static EXIT_STATUS: AtomicU8 = AtomicU8::new(1);

impl Guest for ExitStatus {
    fn get() -> u8 {
        EXIT_STATUS.load(Ordering::Relaxed)
    }
}

/// Sets the status that the host can ask for once `main` has returned; it cannot ask after an exit.
pub(crate) fn set_exit_status(status: u8) {
    EXIT_STATUS.store(status, Ordering::Relaxed);
}
