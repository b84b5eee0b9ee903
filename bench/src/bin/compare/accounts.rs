//! Fills a database with accounts, and logs some of them in.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bench::client::Client;
use bench::server::Server;
use rusqlite::{Connection, params};

use crate::user::{PASSWORD_HASH, Request, User};
use crate::work::{STORM_CLIENTS, Target};

const ADMIN: &str = "admin@example.com";
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
    let numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)";
    let transaction = db.transaction()?;
    let columns = "users (email, hashed_password, is_active, is_admin, created_at, updated_at)";
    let sql = format!("INSERT INTO {columns} SELECT ?1, ?2, 1, 1, {now}, {now}");
    transaction.execute(&sql, params![ADMIN, PASSWORD_HASH])?;
    let sql = format!(
        "{numbers} INSERT INTO {columns} SELECT 'user-' || n || '@example.com', ?2, 1, 0, {now}, {now} FROM numbers"
    );
    transaction.execute(&sql, params![count, PASSWORD_HASH])?;
    transaction.execute(
        &format!(
            "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
             SELECT id, lower(hex(randomblob(16))), lower(hex(randomblob(16))), 1, {now}, {}
             FROM users WHERE is_admin = 0",
            now.replace("'now'", "'now', '7 days'")
        ),
        [],
    )?;
    transaction.commit()?;
    // Otherwise the first requests would pay for it.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Logs in the accounts that need a session.
pub(crate) async fn log_in(server: &Server) -> Result<Target<'_>> {
    let user = |number: usize| User::new(format!("user-{number}@example.com"));
    let mut users: Vec<User> = (1..=CLIENTS).map(user).collect();
    let guests = (CLIENTS + 1..=CLIENTS + STORM_CLIENTS).map(user).collect();
    let mut admin = User::new(ADMIN.to_owned());
    let mut client = Client::connect(server.address).await?;
    for user in users.iter_mut().chain([&mut admin]) {
        user.send(Request::Login, &mut client).await?;
    }
    Ok(Target { server, users, admins: vec![admin; CLIENTS], guests })
}
