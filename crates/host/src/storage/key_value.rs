//! Key-value stores: one table for all of them, laid out as Spin's.
//!
//! Every change is one statement or one immediate transaction, so that it is atomic for other
//! processes on the same file as well.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::storage;

/// How long an operation waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most that a value, or a list of keys or values, may hold, since all of it is in memory at once.
const RESULT_SIZE_MAX: usize = 32 << 20;

const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
const DELETE: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";

/// The file that holds every store.
#[derive(Clone)]
pub(crate) struct KeyValueFile {
    connection: Arc<Mutex<Connection>>,
}

impl KeyValueFile {
    /// Opens the file, making it and its table as needed.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        storage::create_private_file(path);
        let connection = Connection::open(path)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, RESULT_SIZE_MAX as i32)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // What is kept here are counters and caches: a power cut may cost the last of them, and in
        // exchange a change does not wait for the disk. The file stays consistent either way.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute(
            "CREATE TABLE IF NOT EXISTS spin_key_value (
                store TEXT NOT NULL,
                key TEXT NOT NULL,
                value BLOB NOT NULL,
                PRIMARY KEY (store, key)
            )",
            [],
        )?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// The store called `name`.
    pub(crate) fn store(&self, name: &str) -> Store {
        Store { name: name.into(), connection: self.connection.clone() }
    }
}

/// Why an operation failed, in words.
pub(crate) type Failure = String;

/// One store: a name in the table.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Store {
    name: Arc<str>,
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// The value of `key`.
    pub(crate) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Failure> {
        self.run(move |db, store| get(db, store, &key)).await
    }

    /// Sets `key` to `value`.
    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Failure> {
        self.run(move |db, store| db.prepare_cached(SET)?.execute(params![store, key, value]).map(drop)).await
    }

    /// Removes `key`, if it is there.
    pub(crate) async fn delete(&self, key: String) -> Result<(), Failure> {
        self.run(move |db, store| db.prepare_cached(DELETE)?.execute([store, &key]).map(drop)).await
    }

    /// All keys.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Failure> {
        self.run(|db, store| {
            let mut statement = db.prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?;
            let mut rows = statement.query([store])?;
            let (mut keys, mut size) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                size += size_of::<String>() + key.len();
                check_size(size)?;
                keys.push(key);
            }
            Ok(keys)
        })
        .await
    }

    /// Adds `delta` to the number in `key`, eight bytes little-endian as in Spin; none counts as 0.
    pub(crate) async fn increment(&self, key: String, delta: i64) -> Result<i64, Failure> {
        self.run(move |db, store| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let number = match get(&transaction, store, &key)? {
                None => 0,
                Some(bytes) => i64::from_le_bytes(bytes.try_into().map_err(|_| refused("the value is not a number"))?),
            };
            let sum = number.checked_add(delta).ok_or_else(|| refused("the number would overflow"))?;
            let value = sum.to_le_bytes();
            transaction.prepare_cached(SET)?.execute(params![store, key, value])?;
            transaction.commit()?;
            Ok(sum)
        })
        .await
    }

    /// Sets `key` to `value` if it still holds `expected`; tells whether it did.
    async fn swap(&self, key: String, expected: Option<Vec<u8>>, value: Vec<u8>) -> Result<bool, Failure> {
        self.run(move |db, store| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let is_current = get(&transaction, store, &key)? == expected;
            if is_current {
                transaction.prepare_cached(SET)?.execute(params![store, key, value])?;
            }
            transaction.commit()?;
            Ok(is_current)
        })
        .await
    }

    /// Runs `work` off the threads of the guests, since it may wait for the file.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = this.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &this.name).map_err(|error| error.to_string())
        })
        .await
        .unwrap_or_else(|_| Err("the operation was abandoned".into()))
    }
}

fn get(db: &Connection, store: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(GET)?.query_row([store, key], |row| row.get(0)).optional()
}

fn check_size(size: usize) -> rusqlite::Result<()> {
    if size > RESULT_SIZE_MAX {
        return Err(refused(&format!("the result exceeds {RESULT_SIZE_MAX} bytes")));
    }
    Ok(())
}

fn refused(reason: &str) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into())
}

/// A value as it was read, to be replaced only if nobody else did.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct CompareAndSwap {
    store: Store,
    key: String,
    seen: Option<Vec<u8>>,
}

impl CompareAndSwap {
    /// Reads `key` and remembers what it held.
    pub(crate) async fn new(store: Store, key: String) -> Result<Self, Failure> {
        let seen = store.get(key.clone()).await?;
        Ok(Self { store, key, seen })
    }

    /// The store and the key, to read again.
    pub(crate) fn target(&self) -> (Store, String) {
        (self.store.clone(), self.key.clone())
    }

    /// Remembers what the key holds now.
    pub(crate) fn update(&mut self, seen: Option<Vec<u8>>) {
        self.seen = seen;
    }

    /// Sets the value if the key still holds what was seen; otherwise a fresh handle comes back.
    pub(crate) async fn swap(self, value: Vec<u8>) -> Result<Result<(), Self>, Failure> {
        let (key, seen) = (self.key.clone(), self.seen);
        if self.store.swap(key, seen, value).await? {
            return Ok(Ok(()));
        }
        Self::new(self.store, self.key).await.map(Err)
    }
}
