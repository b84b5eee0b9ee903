//! Fills a database with accounts, and logs some of them in.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bench::server::Server;
use bench::user::{Request, User};
use rusqlite::{Connection, params};

use crate::work::{STORM_CLIENTS, Target};

const ADMIN: &str = "admin@example.com";
/// The bcrypt hash of [`bench::client::PASSWORD`] with cost 12, so that accounts can be inserted without hashing.
const PASSWORD_HASH: &str = "$2b$12$czwzmGqWaqtTXvQNTtXHgOEiIrGPolxQT/kpX/X1.Bdw6YYlQ/xdG";
/// The number of accounts that have a session, and of connections of the administrator.
const CLIENTS: usize = 8;
/// How long the first statement waits for the server's migrations.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Inserts an administrator and `count` other accounts, each with one session whose tokens nobody has. All servers have
/// these columns.
pub(crate) fn insert(database: &Path, count: u32) -> Result<()> {
    let mut db = Connection::open(database)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    let now = "strftime('%Y-%m-%d %H:%M:%f000', 'now')";
    let end = "strftime('%Y-%m-%d %H:%M:%f000', 'now', '7 days')";
    let transaction = db.transaction()?;
    let columns = "users (email, hashed_password, is_active, is_admin, created_at, updated_at)";
    let sql = format!("INSERT INTO {columns} VALUES (?1, ?2, 1, 1, {now}, {now})");
    transaction.execute(&sql, params![ADMIN, PASSWORD_HASH])?;
    let sql = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
         INSERT INTO {columns} SELECT 'user-' || n || '@example.com', ?2, 1, 0, {now}, {now} FROM numbers"
    );
    transaction.execute(&sql, params![count, PASSWORD_HASH])?;
    let sql = format!(
        "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         SELECT id, lower(hex(randomblob(16))), lower(hex(randomblob(16))), 1, {now}, {end}
         FROM users WHERE is_admin = 0"
    );
    transaction.execute(&sql, [])?;
    transaction.commit()?;
    // Otherwise the first requests would pay for it.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Logs in the accounts that need a session.
pub(crate) fn log_in(server: &Server) -> Result<Target<'_>> {
    let user = |number: usize| User::new(server.address, format!("user-{number}@example.com"));
    let mut users: Vec<User> = (1..=CLIENTS).map(user).collect();
    let mut admin = User::new(server.address, ADMIN.to_owned());
    for user in users.iter_mut().chain([&mut admin]) {
        user.send(Request::Login)?;
    }
    let admins = (0..CLIENTS).map(|_| admin.reconnected()).collect();
    let guests = (CLIENTS + 1..=CLIENTS + STORM_CLIENTS).map(user).collect();
    Ok(Target { server, users, admins, guests })
}
