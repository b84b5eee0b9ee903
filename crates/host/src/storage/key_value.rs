//! Key-value stores in one table with Spin's layout.
//!
//! Every change is one statement or one immediate transaction, and so atomic across processes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::limits::Limit;
use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use crate::storage::{RESULT_SIZE_MAX, create_private_file, failure};

/// How long an operation waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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
    connection: Arc<Mutex<rusqlite::Connection>>,
}

impl Store {
    /// Opens the stores `names` in the file `path`, which is created if it is missing.
    pub(crate) fn open_all(path: &Path, names: &[String]) -> rusqlite::Result<HashMap<String, Self>> {
        create_private_file(path);
        let connection = rusqlite::Connection::open(path)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, RESULT_SIZE_MAX as i32)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Stores hold counters and caches: a change does not wait for the disk, and a power failure may lose the last
        // ones. The file stays consistent either way.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute(CREATE, [])?;
        let connection = Arc::new(Mutex::new(connection));
        let store = |name: &String| Self { name: name.as_str().into(), connection: connection.clone() };
        Ok(names.iter().map(|name| (name.clone(), store(name))).collect())
    }

    pub(crate) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, String> {
        self.run(move |db, store| get(db, store, &key)).await
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        self.run(move |db, store| set(db, store, &key, &value)).await
    }

    pub(crate) async fn delete(&self, key: String) -> Result<(), String> {
        self.run(move |db, store| db.prepare_cached(DELETE)?.execute([store, &key]).map(drop)).await
    }

    /// Returns all keys.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, String> {
        self.run(|db, store| {
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

    /// Adds `delta` to the number in `key`, 0 if there is none, and returns the sum. Numbers are eight bytes,
    /// little-endian, as in Spin.
    pub(crate) async fn increment(&self, key: String, delta: i64) -> Result<i64, String> {
        self.run(move |db, store| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let number = match get(&transaction, store, &key)? {
                None => 0,
                Some(bytes) => i64::from_le_bytes(bytes.try_into().map_err(|_| failure("the value is not a number"))?),
            };
            let sum = number.checked_add(delta).ok_or_else(|| failure("the number would overflow"))?;
            set(&transaction, store, &key, &sum.to_le_bytes())?;
            transaction.commit()?;
            Ok(sum)
        })
        .await
    }

    /// Sets `key` to `value` if it holds `expected`; returns whether it did.
    async fn swap(&self, key: String, expected: Option<Vec<u8>>, value: Vec<u8>) -> Result<bool, String> {
        self.run(move |db, store| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if get(&transaction, store, &key)? != expected {
                return Ok(false);
            }
            set(&transaction, store, &key, &value)?;
            transaction.commit()?;
            Ok(true)
        })
        .await
    }

    /// Runs `work` on a thread for blocking work, since it may wait for the file.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut rusqlite::Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let store = self.clone();
        let work = move || {
            let mut connection = store.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &store.name).map_err(|error| error.to_string())
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("the operation was abandoned".into()))
    }
}

fn get(db: &rusqlite::Connection, store: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(GET)?.query_row([store, key], |row| row.get(0)).optional()
}

fn set(db: &rusqlite::Connection, store: &str, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached(SET)?.execute(params![store, key, value]).map(drop)
}

/// The value of a key as it was last read, to be replaced only if it is still the same.
pub struct CompareAndSwap {
    store: Store,
    key: String,
    seen: Option<Vec<u8>>,
}

impl CompareAndSwap {
    /// Reads `key`.
    pub(crate) async fn new(store: Store, key: String) -> Result<Self, String> {
        let seen = store.get(key.clone()).await?;
        Ok(Self { store, key, seen })
    }

    /// Reads the key again and returns its value.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.seen = self.store.get(self.key.clone()).await?;
        Ok(self.seen.clone())
    }

    /// Replaces the value, or returns a fresh handle if another was written meanwhile.
    pub(crate) async fn swap(self, value: Vec<u8>) -> Result<Result<(), Self>, String> {
        let Self { store, key, seen } = self;
        if store.swap(key.clone(), seen, value).await? {
            return Ok(Ok(()));
        }
        Self::new(store, key).await.map(Err)
    }
}
