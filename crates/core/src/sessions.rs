//! The table `sessions`: one row for every pair of tokens, valid until it is used, ended or over.
//!
//! To its owner a session is a **chain** of rows: the login's, and one for each refresh after it. Its id is that of the
//! first row, whose own `chain_id` is NULL; so a row of the Python server, which knows no chains, is one by itself. At most
//! one row of a chain is valid, and while one is, the access tokens of all of them are good until they expire.

use crate::client::Client;
use lanterne_database::Timestamp;
use lanterne_database::params;
use lanterne_database::{Connection, Error, Row};

/// What a new row is made of.
pub struct NewSession<'a> {
    /// Whose it is.
    pub user_id: i64,
    /// The chain that it goes on; `None`: it begins one.
    pub chain_id: Option<i64>,
    /// When the chain began.
    pub started_at: Timestamp,
    /// The `jti` of its access token.
    pub access_jti: &'a str,
    /// The `jti` of its refresh token.
    pub refresh_jti: &'a str,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
}

/// The row of a refresh token that was used up.
pub struct Taken {
    /// Its chain.
    pub chain_id: i64,
    /// When the chain began.
    pub started_at: Timestamp,
    /// Whether its time had passed, so that it buys nothing.
    pub is_over: bool,
}

/// The row of a refresh token that buys nothing.
pub struct Spent {
    /// Its chain.
    pub chain_id: i64,
    /// When it was traded for the next; `None` if it was ended before.
    pub rotated_at: Option<Timestamp>,
}

/// A chain that is still valid, as its owner sees it.
#[derive(Debug)]
pub struct Session {
    /// The id of the chain.
    pub id: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last refreshed, or began.
    pub last_used_at: Timestamp,
    /// When it ends if it is not refreshed.
    pub expires_at: Timestamp,
    /// Where that came from.
    pub client: Client,
}

/// The most sessions that are listed.
const LISTED_MAX: i64 = 1000;

/// Makes a valid row.
pub async fn insert(
    db: &impl Connection,
    session: NewSession<'_>,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    db.query(
        "INSERT INTO sessions
           (user_id, chain_id, started_at, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at,
            ip_address, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)",
        params![
            session.user_id,
            session.chain_id,
            session.started_at,
            session.access_jti,
            session.refresh_jti,
            now,
            session.expires_at,
            client.address.clone(),
            client.agent.clone()
        ],
    )
    .await?;
    Ok(())
}

/// Uses up the valid row of a refresh token; `None` if there is none. Of any number of simultaneous uses this one
/// statement lets exactly one through. One that has expired, or whose chain began before `oldest_start`, is over: it is
/// ended, and not marked as traded.
///
/// A row of the Python server does not say when its chain began: it counts from the row, or from now if the row alone is
/// older than a chain may be, since that server had no such limit.
pub async fn take(
    db: &impl Connection,
    user_id: i64,
    refresh_jti: &str,
    oldest_start: Timestamp,
    now: Timestamp,
) -> Result<Option<Taken>, Error> {
    let rows = db
        .query(
            "UPDATE sessions
             SET is_valid = 0,
                 rotated_at = CASE WHEN expires_at >= ?3 AND (started_at IS NULL OR started_at > ?4) THEN ?3 END
             WHERE refresh_token_jti = ?1 AND user_id = ?2 AND is_valid = 1
             RETURNING coalesce(chain_id, id),
                       coalesce(started_at, iif(created_at > ?4, created_at, ?3)),
                       rotated_at IS NULL",
            params![refresh_jti, user_id, now, oldest_start],
        )
        .await?;
    let taken = |row: &Row| Ok(Taken { chain_id: row.get(0)?, started_at: row.get(1)?, is_over: row.get(2)? });
    rows.first().map(taken).transpose()
}

/// The row of a refresh token, valid or not.
pub async fn find_spent(db: &impl Connection, user_id: i64, refresh_jti: &str) -> Result<Option<Spent>, Error> {
    let rows = db
        .query(
            "SELECT coalesce(chain_id, id), rotated_at FROM sessions WHERE refresh_token_jti = ?1 AND user_id = ?2",
            params![refresh_jti, user_id],
        )
        .await?;
    rows.first().map(|row| Ok(Spent { chain_id: row.get(0)?, rotated_at: row.get(1)? })).transpose()
}

/// The chains of an account that are valid, the one that began last first; the latest thousand if there are more.
pub async fn list(db: &impl Connection, user_id: i64, now: Timestamp) -> Result<Vec<Session>, Error> {
    let rows = db
        .query(
            "SELECT coalesce(chain_id, id), coalesce(started_at, created_at), created_at, expires_at,
                    ip_address, user_agent
             FROM sessions
             WHERE user_id = ?1 AND is_valid = 1 AND expires_at >= ?2
             ORDER BY coalesce(started_at, created_at) DESC, coalesce(chain_id, id) DESC
             LIMIT ?3",
            params![user_id, now, LISTED_MAX],
        )
        .await?;
    let session = |row: &Row| {
        Ok(Session {
            id: row.get(0)?,
            started_at: row.get(1)?,
            last_used_at: row.get(2)?,
            expires_at: row.get(3)?,
            client: Client { address: row.get(4)?, agent: row.get(5)? },
        })
    };
    rows.iter().map(session).collect()
}

/// Ends a chain of the account; whether there was one to end.
pub async fn end(db: &impl Connection, user_id: i64, chain_id: i64, now: Timestamp) -> Result<bool, Error> {
    let rows = db
        .query(
            "UPDATE sessions SET is_valid = 0
             WHERE user_id = ?1 AND is_valid = 1 AND expires_at >= ?3 AND coalesce(chain_id, id) = ?2
             RETURNING id",
            params![user_id, chain_id, now],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Ends all chains of the account, but the one to `keep`; returns how many.
pub async fn end_all(db: &impl Connection, user_id: i64, keep: Option<i64>) -> Result<usize, Error> {
    let rows = db
        .query(
            "UPDATE sessions SET is_valid = 0
             WHERE user_id = ?1 AND is_valid = 1 AND (?2 IS NULL OR coalesce(chain_id, id) <> ?2)
             RETURNING id",
            params![user_id, keep],
        )
        .await?;
    Ok(rows.len())
}

/// Deletes what there is of an account's sessions.
pub async fn delete_all(db: &impl Connection, user_id: i64) -> Result<(), Error> {
    db.query("DELETE FROM sessions WHERE user_id = ?1", params![user_id]).await?;
    Ok(())
}
