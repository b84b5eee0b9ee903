//! The table `sessions`: one row for every pair of tokens, valid until it is used, ended or over.

use crate::db::{Connection, Error};
use crate::params;
use crate::timestamp::Timestamp;

/// What a new session is made of.
pub struct NewSession<'a> {
    /// Whose it is.
    pub user_id: i64,
    /// The `jti` of its access token.
    pub access_jti: &'a str,
    /// The `jti` of its refresh token.
    pub refresh_jti: &'a str,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
}

/// Makes a valid session.
pub async fn insert(db: &impl Connection, session: NewSession<'_>, now: Timestamp) -> Result<(), Error> {
    db.query(
        "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         VALUES (?1, ?2, ?3, 1, ?4, ?5)",
        params![session.user_id, session.access_jti, session.refresh_jti, now, session.expires_at],
    )
    .await?;
    Ok(())
}

/// Uses up the valid session of a refresh token and returns when it expires; `None` if there is none. Of any number
/// of simultaneous uses this one statement lets exactly one through.
///
/// SQLite may give the id of a deleted account to the next one. A session that is older than its account was somebody
/// else's, and counts for nothing.
pub async fn take(db: &impl Connection, user_id: i64, refresh_jti: &str) -> Result<Option<Timestamp>, Error> {
    let rows = db
        .query(
            "UPDATE sessions SET is_valid = 0
             WHERE refresh_token_jti = ?1 AND user_id = ?2 AND is_valid = 1
               AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = ?2 AND users.created_at > sessions.created_at)
             RETURNING expires_at",
            params![refresh_jti, user_id],
        )
        .await?;
    rows.first().map(|row| row.get(0)).transpose()
}
