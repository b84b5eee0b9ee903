//! SQLite databases, with a write lock for each.
//!
//! SQLite allows one writer; others poll in its busy handler. Writers of this process therefore queue for a fair lock
//! before they call SQLite: with 16 clients this is three to four times faster. The busy timeout still covers writers in
//! other processes.

use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use tokio::sync::Mutex;

use crate::storage::{Connection, RESULT_SIZE_MAX, create_private_file};

/// The time limits of a component's statements.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// How long a statement waits for another writer before it fails with "database is locked".
    pub(crate) wait: Duration,
    /// How long a statement may run; `None` is unlimited.
    pub(crate) run: Option<Duration>,
}

impl Limits {
    /// A client waits for the response, and reads run on the threads that components share.
    pub(crate) const REQUEST: Self = Self { wait: Duration::from_secs(5), run: Some(Duration::from_secs(30)) };
    /// A migration may rebuild a large table in one statement, and should wait for other programs that use the file.
    pub(crate) const COMMAND: Self = Self { wait: Duration::from_secs(60), run: None };
}

/// A database file and its write lock.
#[derive(Clone)]
pub(crate) struct Database {
    path: Arc<Path>,
    write_lock: Arc<Mutex<()>>,
    is_created: Arc<Once>,
}

impl Database {
    /// The database in the file `path`, which the first connection creates.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into(), write_lock: Arc::default(), is_created: Arc::new(Once::new()) }
    }

    /// Opens a new connection: on a shared one, the transactions of two requests would mix.
    pub(crate) fn open(&self, limits: Limits) -> rusqlite::Result<Connection> {
        self.is_created.call_once(|| create_private_file(&self.path));
        let mut sqlite = rusqlite::Connection::open(&self.path)?;
        // Statements wait only on threads for blocking work, which set a timeout of their own.
        sqlite.busy_timeout(Duration::ZERO)?;
        sqlite.set_limit(Limit::SQLITE_LIMIT_LENGTH, RESULT_SIZE_MAX as i32)?;
        sqlite.set_prepared_statement_cache_capacity(64);
        sqlite.authorizer(Some(authorize))?;
        Ok(Connection::new(sqlite, self.write_lock.clone(), limits))
    }
}

/// Denies ATTACH of any file, and with it VACUUM INTO: a grant is for one database. rusqlite reports a file name that is
/// an expression as an unknown action. Ignores PRAGMA busy_timeout, since [`Limits`] apply.
fn authorize(ctx: AuthContext<'_>) -> Authorization {
    match ctx.action {
        AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => Authorization::Deny,
        AuthAction::Unknown { code, .. } if code == rusqlite::ffi::SQLITE_ATTACH => Authorization::Deny,
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
            if pragma_name.eq_ignore_ascii_case("busy_timeout") =>
        {
            Authorization::Ignore
        }
        _ => Authorization::Allow,
    }
}
