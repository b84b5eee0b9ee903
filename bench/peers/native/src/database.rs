//! The SQLite file: one connection that writes, and some that read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, Transaction, params};
use serde::Serialize;

const COLUMNS: &str = "users.id, email, hashed_password, is_active, is_admin, users.created_at";

/// An account. Its reply leaves the hash out.
#[derive(Serialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) email: String,
    #[serde(skip)]
    pub(crate) hashed_password: String,
    pub(crate) is_active: bool,
    pub(crate) is_admin: bool,
    created_at: String,
}

/// What a row of the audit log says beside its account.
pub(crate) struct Event {
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) details: String,
}

/// The database file.
pub(crate) struct Database {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl User {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            hashed_password: row.get(2)?,
            is_active: row.get(3)?,
            is_admin: row.get(4)?,
            created_at: row.get::<_, String>(5)?.replacen(' ', "T", 1) + "Z",
        })
    }
}

impl Database {
    /// Opens the file, and creates the tables if they do not exist.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let writer = connect(path)?;
        if !writer.table_exists(None, "users")? {
            writer.execute_batch(include_str!("../../../../migrations/schema.sql"))?;
        }
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::default() })
    }

    /// Runs `work` on a connection that no other thread uses meanwhile.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = lock(&self.readers).pop();
        let connection = idle.map_or_else(|| connect(&self.path), Ok)?;
        let result = work(&connection);
        lock(&self.readers).push(connection);
        Ok(result?)
    }

    /// Runs `work` in a transaction, and commits it.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// Finds an account by its address.
pub(crate) fn find_by_email(db: &Connection, email: &str) -> rusqlite::Result<Option<User>> {
    find(db, &format!("SELECT {COLUMNS} FROM users WHERE email = ?1"), [email])
}

/// Finds an account by its id.
pub(crate) fn find_by_id(db: &Connection, id: i64) -> rusqlite::Result<Option<User>> {
    find(db, &format!("SELECT {COLUMNS} FROM users WHERE id = ?1"), [id])
}

/// Finds the account of an access token whose session is valid.
pub(crate) fn find_with_session(db: &Connection, id: i64, access_jti: &str) -> rusqlite::Result<Option<User>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM users JOIN sessions ON user_id = users.id
         WHERE users.id = ?1 AND access_token_jti = ?2 AND is_valid = 1 AND expires_at >= ?3"
    );
    find(db, &sql, params![id, access_jti, sql_time(Timestamp::now())])
}

/// Inserts an account; `None` if the address is taken.
pub(crate) fn insert_user(db: &Connection, email: &str, hashed_password: &str) -> rusqlite::Result<Option<User>> {
    let sql = format!(
        "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
         VALUES (?1, ?2, 1, 0, ?3, ?3) ON CONFLICT (email) DO NOTHING RETURNING {}",
        COLUMNS.replace("users.", "")
    );
    find(db, &sql, params![email, hashed_password, sql_time(Timestamp::now())])
}

/// Inserts a session that ends after `ttl`.
pub(crate) fn insert_session(
    db: &Connection,
    user_id: i64,
    jtis: [&str; 2],
    ttl: SignedDuration,
) -> rusqlite::Result<()> {
    let now = Timestamp::now();
    db.prepare_cached(
        "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         VALUES (?1, ?2, ?3, 1, ?4, ?5)",
    )?
    .execute(params![user_id, jtis[0], jtis[1], sql_time(now), sql_time(now + ttl)])
    .map(drop)
}

/// Invalidates a valid session; returns whether there was one.
pub(crate) fn spend(db: &Connection, user_id: i64, refresh_jti: &str) -> rusqlite::Result<bool> {
    let sql = "UPDATE sessions SET is_valid = 0
         WHERE refresh_token_jti = ?1 AND user_id = ?2 AND is_valid = 1 AND expires_at >= ?3";
    let count = db.prepare_cached(sql)?.execute(params![refresh_jti, user_id, sql_time(Timestamp::now())])?;
    Ok(count == 1)
}

/// Inserts an audit row.
pub(crate) fn audit(db: &Connection, user_id: i64, event: &Event, address: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO audit_logs (user_id, action, resource, resource_id, details, ip_address, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        user_id,
        event.action,
        event.resource,
        user_id.to_string(),
        event.details,
        address,
        sql_time(Timestamp::now())
    ])
    .map(drop)
}

/// Returns a page of the accounts, and how many there are.
pub(crate) fn list(db: &Connection, limit: i64, offset: i64) -> rusqlite::Result<(Vec<User>, i64)> {
    let sql = format!("SELECT {COLUMNS} FROM users ORDER BY id LIMIT ?1 OFFSET ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let users = statement.query_map([limit, offset], User::from_row)?.collect::<rusqlite::Result<_>>()?;
    let total = db.prepare_cached("SELECT count(*) FROM users")?.query_row([], |row| row.get(0))?;
    Ok((users, total))
}

fn find(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Option<User>> {
    db.prepare_cached(sql)?.query_row(params, User::from_row).optional()
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
    Ok(connection)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sql_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
