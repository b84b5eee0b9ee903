//! The table `sessions`: one row per pair of tokens.
//!
//! A session, as its owner sees it, is a **chain** of rows: that of the login and one per refresh. Its id is that of the
//! first row, whose own `chain_id` is NULL; so a row of the Python server, which has no chains, is a chain by itself. At
//! most one row of a chain is valid. While one is, the access tokens of all its rows are accepted until they expire.

use lanterne_database::{Connection, Error, Row, Timestamp, params};

use crate::client::Client;

/// The columns of a new row.
pub struct NewSession<'a> {
    /// The account.
    pub user_id: i64,
    /// The chain that the row continues; `None` begins one.
    pub chain_id: Option<i64>,
    /// The time of the login.
    pub started_at: Timestamp,
    /// The `jti` of its access token.
    pub access_jti: &'a str,
    /// The `jti` of its refresh token.
    pub refresh_jti: &'a str,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
}

/// A row whose refresh token was used just now.
pub struct Rotated {
    /// The chain.
    pub chain_id: i64,
    /// The time of the login.
    pub started_at: Timestamp,
    /// Whether the row or its chain had expired.
    pub is_expired: bool,
}

/// The row of a refresh token that is not valid any more.
pub struct Spent {
    /// The row.
    pub id: i64,
    /// The chain.
    pub chain_id: i64,
    /// When the token was used; `None` if the session was ended before.
    pub rotated_at: Option<Timestamp>,
}

/// The row that a refresh has inserted, with all that its tokens say.
pub struct Successor {
    /// The `jti` of its access token.
    pub access_jti: String,
    /// The `jti` of its refresh token.
    pub refresh_jti: String,
    /// When they were issued.
    pub issued_at: Timestamp,
    /// The time of the login.
    pub started_at: Timestamp,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
}

/// A valid session.
#[derive(Debug)]
pub struct Session {
    /// The chain's id.
    pub id: i64,
    /// The time of the login.
    pub started_at: Timestamp,
    /// The time of the last refresh, or of the login.
    pub last_used_at: Timestamp,
    /// When it expires unless refreshed.
    pub expires_at: Timestamp,
    /// The client of the last refresh, or of the login.
    pub client: Client,
}

/// The most sessions that [`list`] returns.
const LISTED_MAX: i64 = 1000;

/// Inserts a valid row.
pub async fn insert(
    db: &dyn Connection,
    session: NewSession<'_>,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    db.execute(
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
            client.user_agent.clone()
        ],
    )
    .await
}

/// Invalidates the valid row of a refresh token; `None` if there is none. One statement, so that exactly one of any number
/// of simultaneous uses succeeds. A row that has expired, or whose chain began before `oldest_start`, is not marked as
/// rotated.
///
/// A row of the Python server has no start of a chain: the row's own time counts, or `now` if that is before
/// `oldest_start`, since that server did not limit chains.
pub async fn rotate(
    db: &dyn Connection,
    user_id: i64,
    refresh_jti: &str,
    oldest_start: Timestamp,
    now: Timestamp,
) -> Result<Option<Rotated>, Error> {
    let sql = "UPDATE sessions
         SET is_valid = 0,
             rotated_at = CASE WHEN expires_at >= ?3 AND (started_at IS NULL OR started_at > ?4) THEN ?3 END
         WHERE refresh_token_jti = ?1 AND user_id = ?2 AND is_valid = 1
         RETURNING coalesce(chain_id, id),
                   coalesce(started_at, iif(created_at > ?4, created_at, ?3)),
                   rotated_at IS NULL";
    db.query_first(sql, params![refresh_jti, user_id, now, oldest_start], |row| {
        Ok(Rotated { chain_id: row.get(0)?, started_at: row.get(1)?, is_expired: row.get(2)? })
    })
    .await
}

/// Finds the row of a refresh token, valid or not.
pub async fn find_spent(db: &dyn Connection, user_id: i64, refresh_jti: &str) -> Result<Option<Spent>, Error> {
    let sql =
        "SELECT id, coalesce(chain_id, id), rotated_at FROM sessions WHERE refresh_token_jti = ?1 AND user_id = ?2";
    db.query_first(sql, params![refresh_jti, user_id], |row| {
        Ok(Spent { id: row.get(0)?, chain_id: row.get(1)?, rotated_at: row.get(2)? })
    })
    .await
}

/// Finds the row that the refresh with a spent token has inserted, if it is still valid: the next one of the chain.
pub async fn find_successor(db: &dyn Connection, spent: &Spent, now: Timestamp) -> Result<Option<Successor>, Error> {
    let sql = "SELECT access_token_jti, refresh_token_jti, created_at, coalesce(started_at, created_at), expires_at
         FROM sessions
         WHERE chain_id = ?1 AND is_valid = 1 AND id > ?2 AND expires_at >= ?3
           AND NOT EXISTS (SELECT 1 FROM sessions AS used
                           WHERE used.chain_id = ?1 AND used.is_valid = 0 AND used.id > ?2)";
    db.query_first(sql, params![spent.chain_id, spent.id, now], |row| {
        Ok(Successor {
            access_jti: row.get(0)?,
            refresh_jti: row.get(1)?,
            issued_at: row.get(2)?,
            started_at: row.get(3)?,
            expires_at: row.get(4)?,
        })
    })
    .await
}

/// Lists the valid sessions of an account, latest login first, at most [`LISTED_MAX`].
pub async fn list(db: &dyn Connection, user_id: i64, now: Timestamp) -> Result<Vec<Session>, Error> {
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
            client: Client { address: row.get(4)?, user_agent: row.get(5)? },
        })
    };
    rows.iter().map(session).collect()
}

/// Ends a session of the account; returns whether it was valid.
pub async fn end(db: &dyn Connection, user_id: i64, chain_id: i64, now: Timestamp) -> Result<bool, Error> {
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

/// Ends all sessions of the account except `keep`; returns how many.
pub async fn end_all(db: &dyn Connection, user_id: i64, keep: Option<i64>) -> Result<usize, Error> {
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

/// Deletes all rows of the account.
pub async fn delete_all(db: &dyn Connection, user_id: i64) -> Result<(), Error> {
    db.execute("DELETE FROM sessions WHERE user_id = ?1", params![user_id]).await
}
