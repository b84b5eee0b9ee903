//! Key-value stores in one table with Spin's layout.
//!
//! Every change is one statement, and so atomic across processes.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rusqlite::ffi::SQLITE_CORRUPT;
use rusqlite::limits::Limit;
use rusqlite::{ErrorCode, OptionalExtension as _, params};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::metrics::{Operation, Operations};
use crate::storage::{LOCKED, RESULT_SIZE_MAX, create_private_file, failure, is_busy, is_lasting, sqlite_failure};
use crate::threads::run_light;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))";
const LIST: &str = "SELECT key FROM spin_key_value WHERE store = ?1";
const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";

/// A store: the rows of one name. The errors of all operations are SQLite's messages.
#[derive(Clone)]
pub struct Store {
    name: Arc<str>,
    file: Arc<StoreFile>,
}

/// The file of all stores.
struct StoreFile {
    path: PathBuf,
    /// `None` until it is used, and after a lasting error ([`is_lasting`]).
    connection: Arc<Mutex<Option<rusqlite::Connection>>>,
    wait: Duration,
    /// Whether another process held the lock for all of the last operation's wait. The next operations do not wait, until
    /// one succeeds.
    is_locked: AtomicBool,
    /// `None` if nothing is measured.
    operations: Option<Operations>,
}

impl Store {
    /// Opens the stores `names` in the file `path`, which is created if it is missing. Operations wait up to `wait` for
    /// others. Moves a damaged file aside: stores hold only caches.
    ///
    /// # Errors
    /// The file cannot be opened. One that is locked, or for which the disk has no room, is opened later.
    pub(crate) fn open_all(
        path: &Path,
        names: &[String],
        wait: Duration,
        operations: Option<Operations>,
    ) -> Result<HashMap<String, Self>> {
        let mut opened = open(path, wait).and_then(checked);
        if opened.as_ref().is_err_and(is_damaged) {
            let aside = move_aside(path)?;
            log::error!("{} was damaged: moved it to {} and created an empty one", path.display(), aside.display());
            opened = open(path, wait);
        }
        let connection = match opened {
            Err(error) if is_busy(&error) || has_no_room(&error) => {
                log::error!("{}: {error}", path.display());
                None
            }
            opened => Some(opened?),
        };
        let connection = Arc::new(Mutex::new(connection));
        let is_locked = AtomicBool::new(false);
        let file = Arc::new(StoreFile { path: path.to_owned(), connection, wait, is_locked, operations });
        let store = |name: &String| Self { name: name.as_str().into(), file: file.clone() };
        Ok(names.iter().map(|name| (name.clone(), store(name))).collect())
    }

    pub(crate) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, String> {
        self.run(Operation::Get, move |db, store| get(db, store, &key)).await
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        self.run(Operation::Set, move |db, store| set(db, store, &key, &value)).await
    }

    pub(crate) async fn delete(&self, key: String) -> Result<(), String> {
        self.run(Operation::Delete, move |db, store| db.prepare_cached(DELETE)?.execute([store, &key]).map(drop)).await
    }

    /// Returns all keys.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, String> {
        self.run(Operation::List, |db, store| {
            let mut statement = db.prepare_cached(LIST)?;
            let mut rows = statement.query([store])?;
            let (mut keys, mut size) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                size += size_of::<String>() + key.len();
                if size > RESULT_SIZE_MAX {
                    return Err(failure(format!("the result exceeds {RESULT_SIZE_MAX} bytes")));
                }
                keys.push(key);
            }
            Ok(keys)
        })
        .await
    }

    /// Runs `work` on a thread for blocking work, since it may wait for the file. Never uses a heavy thread, since `work` holds a lock.
    async fn run<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&mut rusqlite::Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let _timer = self.file.operations.as_ref().map(|operations| operations.start(operation));
        let deadline = Instant::now() + self.file.wait;
        let store = self.clone();
        run_light(async move {
            let connection = timeout_at(deadline.into(), store.file.connection.clone().lock_owned()).await;
            let mut connection = connection.map_err(|_| LOCKED.to_owned())?;
            let file = store.file.clone();
            let work = move || file.run(&mut connection, deadline, |db| work(db, &store.name));
            let result = spawn_blocking(work).await.unwrap_or_else(|_| Err(failure("the operation was abandoned")));
            result.map_err(|error| error.to_string())
        })
        .await
    }
}

impl StoreFile {
    /// Runs `work` on the connection, which is opened if needed.
    fn run<T>(
        &self,
        connection: &mut Option<rusqlite::Connection>,
        deadline: Instant,
        work: impl FnOnce(&mut rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let is_patient = !self.is_locked.load(Ordering::Relaxed);
        let wait = if is_patient { deadline.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        let opened = connection.take().map_or_else(|| open(&self.path, wait), Ok);
        let result = opened.and_then(|mut db| {
            db.busy_timeout(wait)?;
            let result = work(&mut db);
            *connection = Some(db);
            result
        });
        self.is_locked.store(result.as_ref().is_err_and(is_busy), Ordering::Relaxed);
        if result.as_ref().is_err_and(is_lasting) {
            *connection = None;
        }
        result
    }
}

/// Opens the file, and waits up to `wait` if it is locked.
fn open(path: &Path, wait: Duration) -> rusqlite::Result<rusqlite::Connection> {
    create_private_file(path);
    let db = rusqlite::Connection::open(path)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, RESULT_SIZE_MAX as i32)?;
    db.busy_timeout(wait)?;
    // Stores hold caches: a change does not wait for the disk, and a power failure may lose the last ones.
    // The file stays consistent either way.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.execute(CREATE, [])?;
    Ok(db)
}

/// Whether the disk may be full: the files beside that of the store cannot be written.
fn has_no_room(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Returns the connection if the file is sound.
///
/// # Errors
/// A page is damaged ([`is_damaged`]).
fn checked(db: rusqlite::Connection) -> rusqlite::Result<rusqlite::Connection> {
    let is_well = db.query_row("PRAGMA quick_check(1)", [], |row| Ok(row.get_ref(0)?.as_str()? == "ok"))?;
    if is_well { Ok(db) } else { Err(sqlite_failure(SQLITE_CORRUPT, "database disk image is malformed")) }
}

/// Renames the file to the first unused of `<path>.damaged-1`, `-2` and so on, and returns that path.
fn move_aside(path: &Path) -> Result<PathBuf> {
    let named = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let mut names = (1_u32..).map(|n| named(&format!(".damaged-{n}")));
    let aside = names.find(|name| !name.exists()).context("no name is free")?;
    fs::rename(path, &aside).with_context(|| format!("cannot move {} aside", path.display()))?;
    // SQLite would apply a left-over log to the new file.
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(named(suffix));
    }
    Ok(aside)
}

fn get(db: &rusqlite::Connection, store: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(GET)?.query_row([store, key], |row| row.get(0)).optional()
}

fn set(db: &rusqlite::Connection, store: &str, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached(SET)?.execute(params![store, key, value]).map(drop)
}
