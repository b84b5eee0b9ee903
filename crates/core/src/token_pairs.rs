//! The view `token_pairs`: an INSERT into it issues a pair of tokens in one statement.
//!
//! A trigger of the view writes the session, the audit row and the counters of the throttle (migration 0006), by the rules of
//! [`crate::throttle`]: a change of those needs a migration. One statement is atomic, and needs one round trip if the database
//! is on another machine. A transaction of several statements would hold the only write lock during each round trip.

use std::time::Duration;

use lanterne_database::{Connection, Error, Row, Timestamp, params};

use crate::audit::Action;
use crate::client::Client;
use crate::throttle::{Attempt, REFRESHES};

/// The tokens of a new row.
pub struct NewTokens {
    /// The `jti` of its access token.
    pub access_jti: String,
    /// The `jti` of its refresh token.
    pub refresh_jti: String,
    /// When its refresh token expires, unless its session ends before.
    pub expires_at: Timestamp,
}

/// The account that a login was checked for.
pub struct Checked<'a> {
    /// The account.
    pub user_id: i64,
    /// The hash that the password was compared with.
    pub hashed_password: &'a str,
    /// The hash to store in its place, if any.
    pub renewed_hash: Option<String>,
    /// Whether the account's address must be verified.
    pub needs_verified_email: bool,
    /// The attempt that ends with the login.
    pub attempt: &'a Attempt,
}

/// A refresh token in use.
pub struct Exchange<'a> {
    /// The account.
    pub user_id: i64,
    /// The `jti` of the token.
    pub refresh_jti: &'a str,
    /// The longest lifetime of a session.
    pub session_absolute: Duration,
    /// The counter of refreshes from the client's network.
    pub counter: Option<String>,
}

/// The row of a refresh token that is not valid any more.
pub struct Spent {
    /// The row.
    pub id: i64,
    /// The chain.
    pub chain_id: i64,
    /// When the token was used; `None` if the session was ended before.
    pub rotated_at: Option<Timestamp>,
    /// Whether its account is active.
    pub is_account_active: bool,
}

/// The latest row of a chain, with the claims of its tokens.
pub struct Issued {
    /// The account's address.
    pub email: String,
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

impl Issued {
    /// Makes the first row of a session.
    #[must_use]
    pub fn first(email: String, tokens: NewTokens, now: Timestamp) -> Self {
        let NewTokens { access_jti, refresh_jti, expires_at } = tokens;
        Self { email, access_jti, refresh_jti, issued_at: now, started_at: now, expires_at }
    }
}

/// Begins a session, ends the attempt, renews the hash and writes the audit row of the login. Returns the claims;
/// `None` if the account has changed since the password was compared, is inactive, or has to be verified first.
///
/// One statement, so that the account cannot change meanwhile.
pub async fn log_in(
    db: &dyn Connection,
    checked: Checked<'_>,
    tokens: NewTokens,
    client: &Client,
    now: Timestamp,
) -> Result<Option<Issued>, Error> {
    let sql = "INSERT INTO token_pairs
           (user_id, email, started_at, access_token_jti, refresh_token_jti, created_at, expires_at, ip_address, user_agent,
            action, resource, details, hashed_password, pair_key, account_key, address_key, address_paused_until)
         SELECT id, email, ?4, ?5, ?6, ?4, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
         FROM users
         WHERE id = ?1 AND hashed_password = ?2 AND is_active = 1 AND email_verified >= ?3
         RETURNING email, created_at, started_at, expires_at";
    let Checked { user_id, hashed_password, renewed_hash, needs_verified_email, attempt } = checked;
    let counted = attempt.counted.as_ref();
    let params = params![
        user_id,
        hashed_password,
        needs_verified_email,
        now,
        tokens.access_jti.as_str(),
        tokens.refresh_jti.as_str(),
        tokens.expires_at,
        client.address.clone(),
        client.user_agent.clone(),
        Action::Login.name(),
        Action::Login.resource(),
        "User logged in: ",
        renewed_hash,
        counted.map(|counted| counted.pair.as_str()),
        counted.map(|counted| counted.account.as_str()),
        counted.map(|counted| counted.address.as_str()),
        counted.map(|counted| counted.address_paused_until),
    ];
    db.query_first(sql, params, |row| issued(row, tokens)).await
}

/// Exchanges a refresh token: ends its row, inserts the next one of the chain, counts the refresh and writes its audit row.
/// Returns the claims of the new tokens; `None` if the token is not valid, its session has expired, its account is inactive, or
/// refreshes are paused.
///
/// One statement, so that exactly one of any number of simultaneous uses succeeds.
///
/// A row of the Python server has no start of a chain: the row's own time counts, or `now` if that is too long ago, since that
/// server did not limit chains.
pub async fn refresh(
    db: &dyn Connection,
    exchange: &Exchange<'_>,
    tokens: NewTokens,
    client: &Client,
    now: Timestamp,
) -> Result<Option<Issued>, Error> {
    let sql = "INSERT INTO token_pairs
           (user_id, email, former_id, chain_id, started_at, access_token_jti, refresh_token_jti, created_at, expires_at,
            ip_address, user_agent, action, resource, details, refresh_key, refresh_limit, unix_millis, window_millis)
         SELECT user_id, email, former_id, chain_id, started_at, ?5, ?6, ?3,
                -- Times are text, and SQLite computes with whole seconds.
                min(?7, datetime(substr(started_at, 1, 19), ?8) || substr(started_at, 20)),
                ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
         FROM (SELECT users.id AS user_id, email, sessions.id AS former_id, coalesce(chain_id, sessions.id) AS chain_id,
                      coalesce(started_at, iif(sessions.created_at > ?4, sessions.created_at, ?3)) AS started_at
               FROM sessions JOIN users ON users.id = sessions.user_id
               WHERE refresh_token_jti = ?1 AND user_id = ?2 AND is_valid = 1 AND is_active = 1 AND expires_at >= ?3
                 AND (started_at IS NULL OR started_at > ?4))
         WHERE NOT EXISTS (SELECT 1 FROM throttle WHERE key = ?14 AND paused_until > ?16)
         RETURNING email, created_at, started_at, expires_at";
    let params = params![
        exchange.refresh_jti,
        exchange.user_id,
        now,
        now.before(exchange.session_absolute),
        tokens.access_jti.as_str(),
        tokens.refresh_jti.as_str(),
        tokens.expires_at,
        format!("+{} seconds", exchange.session_absolute.as_secs()),
        client.address.clone(),
        client.user_agent.clone(),
        Action::Refresh.name(),
        Action::Refresh.resource(),
        "Token refreshed for user: ",
        exchange.counter.as_deref(),
        i64::from(REFRESHES.attempts),
        now.unix_millis(),
        REFRESHES.window_millis(),
    ];
    db.query_first(sql, params, |row| issued(row, tokens)).await
}

/// Reads address, issue, start of the chain and expiry.
fn issued(row: &Row, tokens: NewTokens) -> Result<Issued, Error> {
    let NewTokens { access_jti, refresh_jti, .. } = tokens;
    Ok(Issued {
        email: row.get(0)?,
        access_jti,
        refresh_jti,
        issued_at: row.get(1)?,
        started_at: row.get(2)?,
        expires_at: row.get(3)?,
    })
}

/// The state of a refresh token.
pub enum TokenState {
    /// It is valid, but its session has expired.
    Expired(i64),
    /// It is valid, but its account is inactive.
    AccountInactive,
    /// It was used before, or its session was ended.
    Spent(Spent),
    /// It is valid.
    Valid,
}

/// Finds the state of a refresh token; `None` if it is unknown.
pub async fn find_state(
    db: &dyn Connection,
    exchange: &Exchange<'_>,
    now: Timestamp,
) -> Result<Option<TokenState>, Error> {
    let sql = "SELECT sessions.id, coalesce(chain_id, sessions.id), rotated_at, is_valid, coalesce(is_active, 0),
                expires_at >= ?3 AND (started_at IS NULL OR started_at > ?4)
         FROM sessions LEFT JOIN users ON users.id = sessions.user_id
         WHERE refresh_token_jti = ?1 AND user_id = ?2";
    let oldest_start = now.before(exchange.session_absolute);
    let params = params![exchange.refresh_jti, exchange.user_id, now, oldest_start];
    let found = db.query_first(sql, params, |row| {
        let (id, chain_id, rotated_at, is_account_active) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?);
        Ok((Spent { id, chain_id, rotated_at, is_account_active }, row.get(3)?, row.get(5)?))
    });
    let Some((row, is_valid, is_current)): Option<(Spent, bool, bool)> = found.await? else { return Ok(None) };
    Ok(Some(match (is_valid, is_current, row.is_account_active) {
        (false, ..) => TokenState::Spent(row),
        (true, false, _) => TokenState::Expired(row.id),
        (true, true, false) => TokenState::AccountInactive,
        (true, true, true) => TokenState::Valid,
    }))
}

/// Ends a row that has expired.
pub async fn end_expired(db: &dyn Connection, id: i64) -> Result<(), Error> {
    db.execute("UPDATE sessions SET is_valid = 0 WHERE id = ?1", params![id]).await
}

/// Finds the row that the refresh with a spent token has inserted, if it is still valid: the next one of the chain.
pub async fn find_successor(db: &dyn Connection, spent: &Spent, now: Timestamp) -> Result<Option<Issued>, Error> {
    let sql = "SELECT email, access_token_jti, refresh_token_jti, sessions.created_at,
                coalesce(started_at, sessions.created_at), expires_at
         FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE chain_id = ?1 AND is_valid = 1 AND sessions.id > ?2 AND expires_at >= ?3
           AND NOT EXISTS (SELECT 1 FROM sessions AS used
                           WHERE used.chain_id = ?1 AND used.is_valid = 0 AND used.id > ?2)";
    db.query_first(sql, params![spent.chain_id, spent.id, now], |row| {
        Ok(Issued {
            email: row.get(0)?,
            access_jti: row.get(1)?,
            refresh_jti: row.get(2)?,
            issued_at: row.get(3)?,
            started_at: row.get(4)?,
            expires_at: row.get(5)?,
        })
    })
    .await
}
