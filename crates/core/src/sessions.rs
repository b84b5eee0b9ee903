//! The table `sessions`: one row per pair of tokens.
//!
//! A session, as its owner sees it, is a **chain** of rows: that of the login and one per refresh. Its id is that of the
//! first row, whose own `chain_id` is NULL; so a row of the Python server, which has no chains, is a chain by itself. At
//! most one row of a chain is valid. While one is, the access tokens of all its rows are accepted until they expire.

use lanterne_database::{Connection, Error, Row, Timestamp, params};

use crate::client::Client;

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

/// The columns of the first row of a session.
pub struct NewSession<'a> {
    /// The account.
    pub user_id: i64,
    /// The `jti` of its access token.
    pub access_jti: &'a str,
    /// The `jti` of its refresh token.
    pub refresh_jti: &'a str,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
}

/// Begins a session, without an audit row. Logins and refreshes use the view `token_pairs`.
pub async fn insert(
    db: &dyn Connection,
    session: NewSession<'_>,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    db.execute(
        "INSERT INTO sessions
           (user_id, started_at, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at, ip_address, user_agent)
         VALUES (?1, ?2, ?3, ?4, 1, ?2, ?5, ?6, ?7)",
        params![
            session.user_id,
            now,
            session.access_jti,
            session.refresh_jti,
            session.expires_at,
            client.address.clone(),
            client.user_agent.clone()
        ],
    )
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
