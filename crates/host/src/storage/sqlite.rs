//! SQLite databases: connections, and one writer at a time per file.
//!
//! SQLite lets one connection write. The others would sleep in its busy handler and wake at the
//! wrong moments, so writers queue for a turn before they ask SQLite at all: with 16 clients this
//! is three to four times faster. The busy timeout still covers writers in other processes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};

/// How long a statement waits for another writer before it fails with "database is locked".
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one statement may run. Reads run on the threads of the guests: none may keep one.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How many steps of SQLite's virtual machine pass between two looks at the clock.
const STEPS_PER_CLOCK_CHECK: i32 = 50_000;
/// The most that the rows of one statement may hold, since all of them are in memory at once.
const RESULT_SIZE_MAX: usize = 32 << 20;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A database file, and the turn to write to it.
#[derive(Clone)]
pub(crate) struct Database {
    path: Arc<Path>,
    turn: Arc<Mutex<()>>,
}

impl Database {
    /// The database in the file `path`, which SQLite makes when it is missing.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into(), turn: Arc::default() }
    }

    /// A new connection: two requests that shared one would mix their transactions.
    pub(crate) fn open(&self) -> rusqlite::Result<Connection> {
        let mut sqlite = rusqlite::Connection::open(&self.path)?;
        sqlite.busy_timeout(BUSY_TIMEOUT)?;
        sqlite.set_prepared_statement_cache_capacity(64);
        sqlite.authorizer(Some(deny_other_files))?;

        let deadline = Arc::new(AtomicU64::new(u64::MAX));
        let seen = deadline.clone();
        let is_late = move || now_millis() > seen.load(Ordering::Relaxed);
        sqlite.progress_handler(STEPS_PER_CLOCK_CHECK, Some(is_late))?;

        Ok(Connection {
            session: Arc::new(Mutex::new(Session { sqlite, turn: None, deadline })),
            turn: self.turn.clone(),
        })
    }
}

/// Refuses ATTACH, and so VACUUM INTO, for any file: a grant is for one database. A file name that
/// is an expression arrives without its value, as an unknown action.
fn deny_other_files(ctx: AuthContext<'_>) -> Authorization {
    match ctx.action {
        AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => Authorization::Deny,
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
    deadline: Arc<AtomicU64>,
}

impl Connection {
    /// Runs one statement to its end.
    pub(crate) async fn execute(&self, statement: String, parameters: Vec<Value>) -> Outcome {
        let mut session = self.session.clone().lock_owned().await;
        let is_write = match session.sqlite.prepare_cached(&statement) {
            Ok(prepared) => !prepared.readonly(),
            Err(error) => return failed(Error::Io(error.to_string())),
        };
        if is_write && session.turn.is_none() {
            let turn = tokio::time::timeout(BUSY_TIMEOUT, self.turn.clone().lock_owned()).await;
            match turn {
                Ok(turn) => session.turn = Some(turn),
                Err(_) => return failed(Error::Io("database is locked".into())),
            }
        }
        if !session.may_wait_for_disk(is_write, &statement) {
            return session.run(&statement, &parameters);
        }
        tokio::task::spawn_blocking(move || session.run(&statement, &parameters))
            .await
            .unwrap_or_else(|_| failed(Error::Io("the statement was abandoned".into())))
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

fn failed(error: Error) -> Outcome {
    Outcome { columns: Vec::new(), rows: Vec::new(), result: Err(error) }
}

impl Session {
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
        let limit_millis = STATEMENT_TIMEOUT.as_millis() as u64;
        self.deadline.store(now_millis() + limit_millis, Ordering::Relaxed);
        let mut outcome = failed(Error::Io(String::new()));
        outcome.result = self.fill(&mut outcome.columns, &mut outcome.rows, statement, parameters);
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        // Success or failure, outside of a transaction the next writer may go.
        if self.sqlite.is_autocommit() {
            self.turn = None;
        }
        outcome
    }

    fn fill(
        &self,
        columns: &mut Vec<String>,
        rows: &mut Vec<RowResult>,
        statement: &str,
        parameters: &[Value],
    ) -> Result<(), Error> {
        let mut prepared = self.sqlite.prepare_cached(statement).map_err(io_error)?;
        columns.extend(prepared.column_names().map(str::to_owned));
        let mut results = prepared.query(rusqlite::params_from_iter(parameters)).map_err(io_error)?;
        let mut size = 0;
        while let Some(row) = results.next().map_err(io_error)? {
            let mut values = Vec::with_capacity(columns.len());
            for (column, name) in columns.iter().enumerate() {
                let value = row.get_ref(column).map_err(io_error)?;
                values.push(guest_value(value, name, &mut size)?);
            }
            if size > RESULT_SIZE_MAX {
                let message = format!("query result exceeds limit of {RESULT_SIZE_MAX} bytes");
                return Err(Error::Io(message));
            }
            rows.push(RowResult { values });
        }
        Ok(())
    }
}

fn io_error(error: rusqlite::Error) -> Error {
    Error::Io(error.to_string())
}

/// Copies a value for the guest and adds what it takes to `size`.
fn guest_value(value: ValueRef<'_>, column: &str, size: &mut usize) -> Result<Value, Error> {
    *size += size_of::<Value>();
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => {
            *size += bytes.len();
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Error::Io(format!("the text in column {column} is not UTF-8")))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => {
            *size += bytes.len();
            Value::Blob(bytes.to_vec())
        }
    })
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
