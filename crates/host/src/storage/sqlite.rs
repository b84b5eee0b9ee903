//! SQLite databases: connections, and one writer at a time per file.
//!
//! SQLite lets one connection write. The others would sleep in its busy handler and wake at the
//! wrong moments, so writers queue for a turn before they ask SQLite at all: with 16 clients this
//! is three to four times faster. The busy timeout still covers writers in other processes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Once};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};
use crate::storage;
use crate::storage::limits::Limits;
use crate::storage::value::{self, RESULT_SIZE_MAX};

/// How many steps of SQLite's virtual machine pass between two looks at the clock.
const STEPS_PER_CLOCK_CHECK: i32 = 50_000;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A database file, and the turn to write to it.
#[derive(Clone)]
pub(crate) struct Database {
    path: Arc<Path>,
    turn: Arc<Mutex<()>>,
    /// That the file was there, or has been made.
    is_made: Arc<Once>,
}

impl Database {
    /// The database in the file `path`, which SQLite makes when it is missing.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into(), turn: Arc::default(), is_made: Arc::new(Once::new()) }
    }

    /// A new connection: two requests that shared one would mix their transactions.
    pub(crate) fn open(&self, limits: Limits) -> rusqlite::Result<Connection> {
        self.is_made.call_once(|| storage::create_private_file(&self.path));
        let mut sqlite = rusqlite::Connection::open(&self.path)?;
        // Only where no guest is kept from running may a statement wait.
        sqlite.busy_timeout(Duration::ZERO)?;
        sqlite.set_limit(Limit::SQLITE_LIMIT_LENGTH, RESULT_SIZE_MAX as i32)?;
        sqlite.set_prepared_statement_cache_capacity(64);
        sqlite.authorizer(Some(authorize))?;

        let deadline = Arc::new(AtomicU64::new(u64::MAX));
        let seen = deadline.clone();
        let is_late = move || now_millis() > seen.load(Ordering::Relaxed);
        sqlite.progress_handler(STEPS_PER_CLOCK_CHECK, Some(is_late))?;

        Ok(Connection {
            session: Arc::new(Mutex::new(Session { sqlite, turn: None, limits, deadline })),
            turn: self.turn.clone(),
        })
    }
}

/// Refuses ATTACH, and so VACUUM INTO, for any file: a grant is for one database. A file name that
/// is an expression arrives without its value, as an unknown action. And PRAGMA busy_timeout does nothing, as in a
/// SQLite that does not know it: [`Limits`] decide.
fn authorize(ctx: AuthContext<'_>) -> Authorization {
    match ctx.action {
        AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => Authorization::Deny,
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
            if pragma_name.eq_ignore_ascii_case("busy_timeout") =>
        {
            Authorization::Ignore
        }
        AuthAction::Unknown { code, .. } if code == rusqlite::ffi::SQLITE_ATTACH => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn now_millis() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What a statement gave: the rows until it ended or failed, and which of the two.
pub(crate) struct Outcome {
    /// The names of the columns.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<RowResult>,
    /// Whether the statement ran to its end.
    pub(crate) result: Result<(), Error>,
    /// Whether it failed because another connection held the file.
    is_busy: bool,
}

/// A guest's connection. Its statements run one after the other.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    session: Arc<Mutex<Session>>,
    turn: Arc<Mutex<()>>,
}

/// The order of the fields matters: an open transaction is rolled back before the turn is passed on.
struct Session {
    sqlite: rusqlite::Connection,
    turn: Option<OwnedMutexGuard<()>>,
    limits: Limits,
    deadline: Arc<AtomicU64>,
}

impl Connection {
    /// Runs one statement to its end.
    pub(crate) async fn execute(&self, statement: String, parameters: Vec<Value>) -> Outcome {
        self.try_execute(statement.into(), parameters).await.unwrap_or_else(failed)
    }

    /// What may have to wait goes to another thread: at once if it will, else when it turns out that it must.
    async fn try_execute(&self, statement: Arc<str>, parameters: Vec<Value>) -> Result<Outcome, Error> {
        let mut session = self.session.clone().lock_owned().await;
        // Preparing reads the tables' definitions, which another process may have locked, too.
        let mut is_write = session.is_write(&statement);
        if is_write.as_ref().is_err_and(is_busy) {
            let asked = statement.clone();
            (session, is_write) = patiently(session, move |session| session.is_write(&asked)).await?;
        }
        let is_write = is_write.map_err(io_error)?;
        if is_write && session.turn.is_none() {
            let turn = tokio::time::timeout(session.limits.wait, self.turn.clone().lock_owned()).await;
            session.turn = Some(turn.map_err(|_| Error::Io("database is locked".into()))?);
        }
        if !session.may_wait_for_disk(is_write, &statement) {
            let was_autocommit = session.sqlite.is_autocommit();
            let outcome = session.run(&statement, &parameters);
            // A statement that gave no row and did not end its transaction has done nothing: it can be repeated.
            let can_repeat = outcome.rows.is_empty() && session.sqlite.is_autocommit() == was_autocommit;
            if !(outcome.is_busy && can_repeat) {
                return Ok(outcome);
            }
        }
        let (_, outcome) = patiently(session, move |session| session.run(&statement, &parameters)).await?;
        Ok(outcome)
    }

    /// The rowid of the last successful INSERT.
    pub(crate) async fn last_insert_rowid(&self) -> i64 {
        self.session.lock().await.sqlite.last_insert_rowid()
    }

    /// The number of rows changed by the last INSERT, UPDATE or DELETE.
    pub(crate) async fn changes(&self) -> u64 {
        self.session.lock().await.sqlite.changes()
    }
}

/// Does `work` where it keeps no guest from running, and lets SQLite wait for other processes.
async fn patiently<T: Send + 'static>(
    mut session: OwnedMutexGuard<Session>,
    work: impl FnOnce(&mut Session) -> T + Send + 'static,
) -> Result<(OwnedMutexGuard<Session>, T), Error> {
    let work = move || {
        session.sqlite.busy_timeout(session.limits.wait)?;
        let result = work(&mut session);
        session.sqlite.busy_timeout(Duration::ZERO)?;
        Ok((session, result))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::Io("the statement was abandoned".into()))?.map_err(io_error)
}

fn failed(error: Error) -> Outcome {
    Outcome { columns: Vec::new(), rows: Vec::new(), result: Err(error), is_busy: false }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

impl Session {
    fn is_write(&self, statement: &str) -> rusqlite::Result<bool> {
        Ok(!self.sqlite.prepare_cached(statement)?.readonly())
    }

    /// Whether the statement may sync the file or wait for another process, and so must not run on
    /// the threads of the guests. Inside a transaction only its end does: the lock is held already,
    /// and what is written stays in memory.
    fn may_wait_for_disk(&self, is_write: bool, statement: &str) -> bool {
        if self.sqlite.is_autocommit() {
            return is_write;
        }
        let first_word = statement.trim_start().split([' ', ';', '\n', '\t']).next();
        let ends = ["commit", "end", "release", "rollback"];
        self.turn.is_some() && first_word.is_some_and(|word| ends.iter().any(|end| word.eq_ignore_ascii_case(end)))
    }

    fn run(&mut self, statement: &str, parameters: &[Value]) -> Outcome {
        let deadline = self.limits.run.map_or(u64::MAX, |limit| now_millis() + limit.as_millis() as u64);
        self.deadline.store(deadline, Ordering::Relaxed);
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        let result = self.fill(&mut columns, &mut rows, statement, parameters);
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        // Success or failure, outside of a transaction the next writer may go.
        if self.sqlite.is_autocommit() {
            self.turn = None;
        }
        let is_busy = result.as_ref().is_err_and(is_busy);
        Outcome { columns, rows, result: result.map_err(io_error), is_busy }
    }

    fn fill(
        &self,
        columns: &mut Vec<String>,
        rows: &mut Vec<RowResult>,
        statement: &str,
        parameters: &[Value],
    ) -> rusqlite::Result<()> {
        let mut prepared = self.sqlite.prepare_cached(statement)?;
        columns.extend(prepared.column_names().map(str::to_owned));
        let mut results = prepared.query(rusqlite::params_from_iter(parameters))?;
        let mut size = 0;
        while let Some(row) = results.next()? {
            let mut values = Vec::with_capacity(columns.len());
            for (column, name) in columns.iter().enumerate() {
                values.push(value::for_guest(row.get_ref(column)?, name, &mut size)?);
            }
            rows.push(RowResult { values });
        }
        Ok(())
    }
}

fn io_error(error: rusqlite::Error) -> Error {
    Error::Io(error.to_string())
}

#[cfg(test)]
mod tests;
