//! A component's connection to a database: runs statements, and chooses the thread they run on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

use crate::interfaces::bindings::spin::sqlite::sqlite::{RowResult, Value};
use crate::metrics::{Statement, Statements};
use crate::storage::write_queue::Turn;
use crate::storage::{Database, Limits, RESULT_SIZE_MAX, failure, is_busy, is_interrupted, is_lasting};
use crate::threads::run_light;

/// How long a writer waits for another process before the lock counts as held: longer than most transactions.
const BRIEF_WAIT: Duration = Duration::from_millis(40);
/// How long a read may take on the thread of its component before it moves to another one. SQLite checks between instructions:
/// to count a whole table, or to sort, is one.
const READ_SLICE: Duration = Duration::from_millis(1);
/// Instructions of SQLite's virtual machine between two checks of the time, for a [`READ_SLICE`] and for the time limit.
const STEPS_PER_SLICE_CHECK: i32 = 500;
const STEPS_PER_LIMIT_CHECK: i32 = 50_000;

/// A connection, which runs one statement at a time.
#[derive(Clone)]
pub struct Connection {
    state: Arc<Mutex<ConnectionState>>,
    database: Database,
}

/// Fields are dropped in order: an open transaction is rolled back before the write lock is released.
struct ConnectionState {
    /// The open connection, or the message of the error that closed it.
    sqlite: Result<rusqlite::Connection, String>,
    write_guard: Option<Turn>,
    limits: Limits,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// It returns rows and changes nothing, so it can be repeated.
    Read,
    Write,
    /// It changes neither rows nor the schema, but the connection, such as `BEGIN` and `COMMIT`.
    Control,
}

/// The result of a statement.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) columns: Vec<String>,
    /// The rows that the statement returned until it ended or failed.
    pub(crate) rows: Vec<RowResult>,
    pub(crate) error: Option<rusqlite::Error>,
}

impl Connection {
    pub(crate) fn new(sqlite: rusqlite::Connection, database: Database, limits: Limits) -> Self {
        let state = ConnectionState { sqlite: Ok(sqlite), write_guard: None, limits };
        Self { state: Arc::new(Mutex::new(state)), database }
    }

    /// Runs one statement to completion, never on a heavy thread, since it may hold the write lock. A lasting error
    /// ([`is_lasting`]) closes the connection, which rolls back; later statements fail with the same message.
    pub(crate) async fn execute(self, statement: String, parameters: Vec<Value>) -> Outcome {
        // Locked before the work starts, so that a later statement runs after this one, even if this one is cancelled.
        let state = self.state.clone().lock_owned().await;
        let deadline = Instant::now() + state.limits.wait;
        let work = async move {
            let outcome = self.try_execute(state, deadline, statement.into(), parameters).await;
            let outcome = outcome.unwrap_or_else(Outcome::failed);
            if let Some(error) = outcome.error.as_ref().filter(|error| is_lasting(error)) {
                let mut state = self.state.lock().await;
                state.sqlite = Err(error.to_string());
                state.write_guard = None;
            }
            outcome
        };
        run_light(work).await
    }

    /// Runs a statement on the calling thread unless it may block. One that may block, or that turns out to wait for another
    /// process, runs on a thread for blocking work. A read that takes longer than [`READ_SLICE`] begins anew there.
    async fn try_execute(
        &self,
        mut state: OwnedMutexGuard<ConnectionState>,
        deadline: Instant,
        statement: Arc<str>,
        parameters: Vec<Value>,
    ) -> rusqlite::Result<Outcome> {
        let statements = self.database.statements.as_deref();
        let mut timer = statements.map(Statements::start);
        self.database.check_file()?;
        // Preparing a statement reads the schema, which another process may have locked.
        let mut access = state.access(&statement);
        if access.as_ref().is_err_and(is_busy) {
            let statement = statement.clone();
            (state, access) = run_blocking(state, deadline, move |state| state.access(&statement)).await?;
        }
        let access = access?;
        let may_block = state.may_block(access, &statement);
        if let Some(timer) = &mut timer {
            timer.kind = Some(match (access, may_block) {
                (Access::Write, _) => Statement::Write,
                (_, true) => Statement::Commit,
                (_, false) => Statement::Read,
            });
        }
        if access == Access::Write && state.write_guard.is_none() {
            let _waiting = statements.map(|statements| statements.write_wait.start());
            state.write_guard = Some(self.database.write_queue.lock(deadline).await?);
        }
        let slice = (access == Access::Read).then_some(READ_SLICE);
        if !may_block && let Some(outcome) = state.try_run(&statement, &parameters, slice) {
            return Ok(outcome);
        }
        let write_queue = self.database.write_queue.clone();
        let run = move |state: &mut ConnectionState| -> rusqlite::Result<Outcome> {
            if may_block {
                state.set_busy_timeout(deadline.min(Instant::now() + BRIEF_WAIT))?;
                if let Some(outcome) = state.try_run(&statement, &parameters, None) {
                    write_queue.note_progress();
                    return Ok(outcome);
                }
                write_queue.note_stall();
                state.set_busy_timeout(deadline)?;
            }
            let outcome = state.run(&statement, &parameters);
            if may_block && outcome.error.is_none() {
                write_queue.note_progress();
            }
            Ok(outcome)
        };
        let (_, outcome) = run_blocking(state, deadline, run).await?;
        outcome
    }

    /// Returns the rowid of the last successful INSERT.
    pub(crate) async fn last_insert_rowid(&self) -> i64 {
        self.state.lock().await.sqlite.as_ref().map_or(0, rusqlite::Connection::last_insert_rowid)
    }

    /// Returns the number of rows that the last INSERT, UPDATE or DELETE changed.
    pub(crate) async fn changes(&self) -> u64 {
        self.state.lock().await.sqlite.as_ref().map_or(0, rusqlite::Connection::changes)
    }
}

/// Runs `work` on a thread for blocking work, where SQLite may wait for other processes until `deadline`.
async fn run_blocking<T: Send + 'static>(
    mut state: OwnedMutexGuard<ConnectionState>,
    deadline: Instant,
    work: impl FnOnce(&mut ConnectionState) -> T + Send + 'static,
) -> rusqlite::Result<(OwnedMutexGuard<ConnectionState>, T)> {
    let work = move || {
        state.set_busy_timeout(deadline)?;
        let result = work(&mut state);
        state.sqlite()?.busy_timeout(Duration::ZERO)?;
        Ok((state, result))
    };
    spawn_blocking(work).await.unwrap_or_else(|_| Err(failure("the statement was abandoned")))
}

impl ConnectionState {
    fn sqlite(&mut self) -> rusqlite::Result<&mut rusqlite::Connection> {
        self.sqlite.as_mut().map_err(|reason| failure(reason.clone()))
    }

    /// Lets SQLite wait for other processes until `deadline`.
    fn set_busy_timeout(&mut self, deadline: Instant) -> rusqlite::Result<()> {
        self.sqlite()?.busy_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    fn is_autocommit(&self) -> bool {
        self.sqlite.as_ref().map_or(true, rusqlite::Connection::is_autocommit)
    }

    fn access(&mut self, statement: &str) -> rusqlite::Result<Access> {
        let prepared = self.sqlite()?.prepare_cached(statement)?;
        Ok(match (prepared.readonly(), prepared.column_count()) {
            (false, _) => Access::Write,
            (true, 0) => Access::Control,
            (true, _) => Access::Read,
        })
    }

    /// Returns whether the statement may sync the file, wait for another process, or change many rows.
    fn may_block(&self, access: Access, statement: &str) -> bool {
        if access == Access::Write || self.is_autocommit() {
            return access == Access::Write;
        }
        let first_word = statement.trim_start().split([' ', ';', '\n', '\t']).next();
        let ends = ["commit", "end", "release", "rollback"];
        self.write_guard.is_some()
            && first_word.is_some_and(|word| ends.iter().any(|end| word.eq_ignore_ascii_case(end)))
    }

    /// Runs a statement. Returns `None` if another process had a lock, or if the statement took longer than `slice`, and it can
    /// be repeated. Only reads may have a slice: interrupting a write rolls back its transaction.
    fn try_run(&mut self, statement: &str, parameters: &[Value], slice: Option<Duration>) -> Option<Outcome> {
        let was_autocommit = self.is_autocommit();
        let outcome = self.fill(statement, parameters, slice);
        if slice.is_some() && outcome.error.as_ref().is_some_and(is_interrupted) {
            return None;
        }
        // A statement that returned no row and did not end its transaction has had no effect.
        let is_repeatable = outcome.rows.is_empty() && self.is_autocommit() == was_autocommit;
        if is_repeatable && outcome.error.as_ref().is_some_and(is_busy) {
            return None;
        }
        self.release_write_lock();
        Some(outcome)
    }

    fn run(&mut self, statement: &str, parameters: &[Value]) -> Outcome {
        let outcome = self.fill(statement, parameters, None);
        self.release_write_lock();
        outcome
    }

    /// Lets the next writer continue, unless a transaction is open.
    fn release_write_lock(&mut self) {
        if self.is_autocommit() {
            self.write_guard = None;
        }
    }

    /// Runs a statement for `slice` at most, or else for the time limit.
    fn fill(&mut self, statement: &str, parameters: &[Value], slice: Option<Duration>) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.error = self.try_fill(&mut outcome, statement, parameters, slice).err();
        outcome
    }

    fn try_fill(
        &mut self,
        outcome: &mut Outcome,
        statement: &str,
        parameters: &[Value],
        slice: Option<Duration>,
    ) -> rusqlite::Result<()> {
        let deadline = slice.or(self.limits.run).map(|limit| Instant::now() + limit);
        let is_late = deadline.map(|deadline| move || Instant::now() > deadline);
        let steps = if slice.is_some() { STEPS_PER_SLICE_CHECK } else { STEPS_PER_LIMIT_CHECK };
        let sqlite = self.sqlite()?;
        sqlite.progress_handler(steps, is_late)?;
        let filled = outcome.fill(sqlite, statement, parameters);
        // SQLite would also call it while preparing the next statement.
        sqlite.progress_handler(0, None::<fn() -> bool>)?;
        filled
    }
}

impl Outcome {
    fn failed(error: rusqlite::Error) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    fn fill(&mut self, sqlite: &rusqlite::Connection, statement: &str, parameters: &[Value]) -> rusqlite::Result<()> {
        let mut prepared = sqlite.prepare_cached(statement)?;
        self.columns.extend(prepared.column_names().map(str::to_owned));
        let mut rows = prepared.query(rusqlite::params_from_iter(parameters))?;
        let mut size = 0;
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(self.columns.len());
            for (index, column) in self.columns.iter().enumerate() {
                let value = row.get_ref(index)?;
                size += size_of::<Value>() + value.as_bytes().map_or(0, <[u8]>::len);
                if size > RESULT_SIZE_MAX {
                    return Err(failure(format!("query result exceeds limit of {RESULT_SIZE_MAX} bytes")));
                }
                values.push(copy(value).ok_or_else(|| failure(format!("the text in column {column} is not UTF-8")))?);
            }
            self.rows.push(RowResult { values });
        }
        Ok(())
    }
}

/// Copies a value for the component; `None` if its text is not UTF-8.
fn copy(value: ValueRef<'_>) -> Option<Value> {
    Some(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(bytes) => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
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

#[cfg(test)]
mod tests;
