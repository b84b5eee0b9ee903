//! What the host offers to a command: the app's database and variables.
//!
//! A `wasi:cli/run@0.2` program cannot await and has nothing else to do: all functions are the synchronous ones, and the
//! futures of [`Connection`] are ready at once.

use std::future::ready;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use lanterne_database::{self as db, BoxFuture, Connection, Driver, Place, Reconnecting, Row, Value};

use self::bindings::exports::lanterne::backend::exit_status::Guest;
use self::bindings::spin::sqlite::sqlite;
use self::bindings::wasi::config::store as config;
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

/// How long a writer waits for the lock. Longer than in a request, since no client waits for a command.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to the app's database, named `default` in the manifest.
pub struct Database(Reconnecting<Host>);

impl Database {
    /// Opens the database; creates its file if there is none.
    ///
    /// # Errors
    /// The manifest does not grant the database, or its file cannot be opened.
    pub async fn open() -> Result<Self, db::Error> {
        let connection = Reconnecting::new(Host, Place::Unknown, BUSY_TIMEOUT);
        connection.open().await?;
        Ok(Self(connection))
    }
}

impl Connection for Database {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        self.0.query(sql, params)
    }

    fn is_file(&self) -> bool {
        self.0.is_file()
    }
}

/// The host's synchronous functions.
struct Host;

impl Driver for Host {
    type Connection = sqlite::Connection;

    fn open(&self) -> BoxFuture<'_, Result<sqlite::Connection, db::Error>> {
        Box::pin(ready(sqlite::Connection::open("default").map_err(database_error)))
    }

    fn execute<'a>(
        &'a self,
        connection: &'a sqlite::Connection,
        sql: &'a str,
        params: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        let params: Vec<_> = params.into_iter().map(to_host).collect();
        let row = |row: sqlite::RowResult| Row::new(row.values.into_iter().map(from_host).collect());
        let rows = connection.execute(sql, &params).map(|result| result.rows.into_iter().map(row).collect());
        Box::pin(ready(rows.map_err(database_error)))
    }

    fn pause(&self, duration: Duration) -> BoxFuture<'_, ()> {
        thread::sleep(duration);
        Box::pin(ready(()))
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
