//! A connection to a database that may be a file of the host or a server on another machine.
//!
//! Spin offers a libSQL server through the same interface as a file (`type = "libsql"` in its runtime configuration). A server
//! ends a stream that is idle for 10 s and a transaction that is idle for 5 s, and may be busy for a moment. A statement that
//! the server has certainly not executed is retried here; any other failure is an error.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::{BEGIN, BoxFuture, COMMIT, Connection, Error, ROLLBACK, Row, Value};

/// The maximum number of retries of a statement. The pauses between them add up to 1.3 s.
const REPETITIONS_MAX: u32 = 7;
/// The first pause; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// Opens connections and runs statements through one of the host's interfaces: asynchronous or synchronous.
pub trait Driver {
    /// A connection of the host.
    type Connection;

    /// Opens a connection.
    ///
    /// # Errors
    /// The host refuses.
    fn open(&self) -> BoxFuture<'_, Result<Self::Connection, Error>>;

    /// Runs one statement.
    ///
    /// # Errors
    /// The host or the database refuses.
    fn execute<'a>(
        &'a self,
        connection: &'a Self::Connection,
        sql: &'a str,
        params: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Row>, Error>>;

    /// Waits.
    fn pause(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// Where the database is. The first connection of an instance detects it; the others use the same database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No connection was opened yet.
    Unknown,
    /// A file of the host.
    File,
    /// A server, which has settings of its own: most pragmas are refused, and foreign keys are enforced.
    Server,
}

/// How far a transaction has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No transaction is open.
    None,
    /// It has begun, and no statement has run.
    Begun,
    /// A statement has run, or may have run.
    Working,
}

/// A connection that is opened when it is needed, and again when the server has closed it.
///
/// It recognizes transactions by their statements, `BEGIN ...`, `COMMIT` and `ROLLBACK`, as [`crate::transaction`] writes them.
pub struct Reconnecting<D: Driver> {
    driver: D,
    connection: RefCell<Option<D::Connection>>,
    place: Cell<Place>,
    /// How long a writer waits for the lock of a file. A server has its own setting.
    busy_timeout: Duration,
    progress: Cell<Progress>,
    has_failed: Cell<bool>,
}

impl<D: Driver> Reconnecting<D> {
    /// Creates a connection that is not open yet.
    pub fn new(driver: D, place: Place, busy_timeout: Duration) -> Self {
        let (connection, progress) = (RefCell::new(None), Cell::new(Progress::None));
        let place = Cell::new(place);
        Self { driver, connection, place, busy_timeout, progress, has_failed: Cell::new(false) }
    }

    /// Continues with an open connection that [`Self::take_idle`] has returned.
    #[must_use]
    pub fn with_idle(self, connection: D::Connection) -> Self {
        self.connection.replace(Some(connection));
        self
    }

    /// Returns where the database is.
    pub fn place(&self) -> Place {
        self.place.get()
    }

    /// Returns the open connection, unless a transaction is unfinished, or a statement has failed: SQLite remembers some errors
    /// after their cause is gone.
    pub fn take_idle(&mut self) -> Option<D::Connection> {
        let is_usable = self.progress.get() == Progress::None && !self.has_failed.get();
        self.connection.take().filter(|_| is_usable)
    }

    /// Opens the connection unless it is open.
    ///
    /// # Errors
    /// The host refuses to open it, or refuses a pragma.
    pub async fn open(&self) -> Result<(), Error> {
        if self.connection.borrow().is_some() {
            return Ok(());
        }
        let mut connection = self.driver.open().await?;
        if self.place.get() != Place::Server {
            let busy_timeout = format!("PRAGMA busy_timeout = {}", self.busy_timeout.as_millis());
            match self.driver.execute(&connection, &busy_timeout, vec![]).await {
                Err(error) if error.is_unsupported_statement() => {
                    self.place.set(Place::Server);
                    // The server has closed the stream.
                    connection = self.driver.open().await?;
                }
                outcome => {
                    outcome?;
                    self.driver.execute(&connection, "PRAGMA foreign_keys = ON", vec![]).await?;
                    self.place.set(Place::File);
                }
            }
        }
        self.connection.replace(Some(connection));
        Ok(())
    }

    async fn execute(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        let result = self.execute_repeatedly(sql, params).await;
        self.has_failed.set(self.has_failed.get() || result.is_err());
        result
    }

    async fn execute_repeatedly(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        let mut pause = PAUSE_MIN;
        for _ in 0..REPETITIONS_MAX {
            self.open().await?;
            if self.place.get() == Place::File {
                return self.execute_once(sql, params).await;
            }
            let progress = self.progress.get();
            let error = match self.execute_once(sql, params.clone()).await {
                Err(error) if error.can_repeat(progress) => error,
                outcome => return outcome,
            };
            if error.is_lost_stream() {
                self.connection.take();
            }
            self.driver.pause(pause).await;
            pause *= 2;
            if progress == Progress::Begun {
                self.progress.set(Progress::None);
                Box::pin(self.execute(BEGIN, vec![])).await?;
            }
        }
        self.open().await?;
        self.execute_once(sql, params).await
    }

    async fn execute_once(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        // Taken out while the statement runs: if the request is cancelled, the connection is closed.
        let Some(connection) = self.connection.take() else {
            return Err(Error::Host("connection is closed".to_owned()));
        };
        let former = self.progress.get();
        let begins = sql.starts_with("BEGIN");
        // A cancelled statement may have been executed.
        self.progress.set(Progress::Working);
        let result = self.driver.execute(&connection, sql, params).await;
        self.connection.replace(Some(connection));
        self.progress.set(match (former, &result) {
            (_, Ok(_)) if matches!(sql, COMMIT | ROLLBACK) => Progress::None,
            (_, Ok(_)) if begins => Progress::Begun,
            (Progress::None, _) => Progress::None,
            (_, Ok(_)) => Progress::Working,
            (former, Err(_)) => former,
        });
        result
    }
}

impl<D: Driver> Connection for Reconnecting<D> {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, Error>> {
        Box::pin(self.execute(sql, params))
    }

    fn is_file(&self) -> bool {
        self.place.get() != Place::Server
    }
}

impl Error {
    /// Returns whether the server has not executed the statement, and a retry may succeed.
    fn can_repeat(&self, progress: Progress) -> bool {
        match progress {
            // Not the timeouts of an overloaded server: retries would add load.
            Progress::None => self.is_lost_stream() || self.is_busy(),
            Progress::Begun => self.is_lost_stream(),
            Progress::Working => false,
        }
    }

    /// Returns whether the server no longer knows the stream or its transaction.
    fn is_lost_stream(&self) -> bool {
        self.has_text(&[
            "STREAM_EXPIRED",
            "stream has expired",
            "invalid baton",
            "TRANSACTION_TIMEOUT",
            "Transaction timed out",
        ])
    }

    fn is_busy(&self) -> bool {
        self.has_text(&["database is locked"])
    }

    fn is_unsupported_statement(&self) -> bool {
        self.has_text(&["unsupported statement"])
    }
}

#[cfg(test)]
#[path = "reconnecting/tests.rs"]
mod tests;
