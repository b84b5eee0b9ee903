//! SQLite databases, each of which is one file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_CANTOPEN;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::metrics::Statements;
use crate::storage::{Connection, RESULT_SIZE_MAX, WriteQueue, create_private_file, sqlite_failure};

/// The time limits of a component's statements, and of its operations on key-value stores.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// How long a statement waits for other writers, in this process and in others, before it fails with "database is
    /// locked".
    pub(crate) wait: Duration,
    /// How long an operation on a key-value store waits for others, in all.
    pub(crate) store_wait: Duration,
    /// How long a statement may run; `None` is unlimited.
    pub(crate) run: Option<Duration>,
}

impl Limits {
    /// A client waits for the response, within 5 s even if the database is locked, and reads run on the threads that
    /// components share.
    pub(crate) const REQUEST: Self = Self {
        wait: Duration::from_secs(3),
        store_wait: Duration::from_millis(250),
        run: Some(Duration::from_secs(30)),
    };
    /// A migration may rebuild a large table in one statement, and should wait for other programs that use the file.
    pub(crate) const COMMAND: Self =
        Self { wait: Duration::from_secs(60), store_wait: Duration::from_secs(60), run: None };
}

/// A database file and the queue of its writers.
#[derive(Clone)]
pub(crate) struct Database {
    path: Arc<Path>,
    pub(crate) write_queue: Arc<WriteQueue>,
    is_created: Arc<Once>,
    /// Device and inode of the file that was opened first.
    file_id: Arc<OnceLock<(u64, u64)>>,
    /// `None` if nothing is measured.
    pub(crate) statements: Option<Arc<Statements>>,
}

impl Database {
    /// The database in the file `path`, which the first connection creates.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            write_queue: Arc::default(),
            is_created: Arc::new(Once::new()),
            file_id: Arc::default(),
            statements: None,
        }
    }

    /// Returns the same database, whose statements are measured in `statements`.
    pub(crate) fn measured(&self, statements: Option<Statements>) -> Self {
        Self { statements: statements.map(Arc::new), ..self.clone() }
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a new connection: on a shared one, the transactions of two requests would mix.
    pub(crate) fn open(&self, limits: Limits) -> rusqlite::Result<Connection> {
        self.is_created.call_once(|| create_private_file(&self.path));
        // No CREATE: an empty file must not take the place of one that was removed.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut sqlite = rusqlite::Connection::open_with_flags(&self.path, flags)?;
        self.check_file()?;
        // Statements wait only on threads for blocking work, which set a timeout of their own.
        sqlite.busy_timeout(Duration::ZERO)?;
        sqlite.set_limit(Limit::SQLITE_LIMIT_LENGTH, RESULT_SIZE_MAX as i32)?;
        sqlite.set_prepared_statement_cache_capacity(64);
        // Otherwise SQLite prepares a kept statement again when the value of a parameter that could affect its plan changes. In
        // return, no value decides on a partial index, or on an index for `LIKE ?`.
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        sqlite.authorizer(Some(authorize))?;
        Ok(Connection::new(sqlite, self.clone(), limits))
    }

    /// Checks that the path still leads to the file that was opened first. SQLite would not notice: it writes to a removed
    /// file, and applies the write-ahead log of one file to another.
    ///
    /// # Errors
    /// `SQLITE_CANTOPEN` with the reason, until the same file is back.
    pub(crate) fn check_file(&self) -> rusqlite::Result<()> {
        let fault = match fs::metadata(&self.path).map(|file| (file.dev(), file.ino())) {
            Ok(id) if *self.file_id.get_or_init(|| id) == id => return Ok(()),
            Ok(_) => "it was replaced by another file while in use".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("unable to open database file: {}: {fault}", self.path.display());
        Err(sqlite_failure(SQLITE_CANTOPEN, message))
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
