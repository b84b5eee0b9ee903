//! The table `users`: one statement a function, its text beside the reading of its rows.

mod listing;

pub use listing::{Filters, count, page};

use lanterne_database::Timestamp;
use lanterne_database::params;
use lanterne_database::{Connection, Error, Row};

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Never changes, and is never another account's.
    pub id: i64,
    /// Normalised and unique.
    pub email: String,
    /// What `password::verify` reads.
    pub hashed_password: String,
    /// Whether it may log in.
    pub is_active: bool,
    /// Whether it may administer other accounts.
    pub is_admin: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a new account is made of.
pub struct NewUser<'a> {
    /// Normalised.
    pub email: &'a str,
    /// From `password::hash`.
    pub hashed_password: &'a str,
    /// Whether it may log in.
    pub is_active: bool,
    /// Whether it may administer other accounts.
    pub is_admin: bool,
}

/// What becomes of an account; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Normalised.
    pub email: Option<String>,
    /// Whether it may log in.
    pub is_active: Option<bool>,
    /// Whether it may administer other accounts.
    pub is_admin: Option<bool>,
}

impl User {
    /// Reads the first six columns of a row.
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            hashed_password: row.get(2)?,
            is_active: row.get(3)?,
            is_admin: row.get(4)?,
            created_at: row.get(5)?,
        })
    }
}

/// Makes an account; `None` if the address is taken. The statement itself decides between two that try at once.
pub async fn insert(db: &impl Connection, user: NewUser<'_>, now: Timestamp) -> Result<Option<User>, Error> {
    let rows = db
        .query(
            "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (email) DO NOTHING
             RETURNING id, email, hashed_password, is_active, is_admin, created_at",
            params![user.email, user.hashed_password, user.is_active, user.is_admin, now],
        )
        .await?;
    rows.first().map(User::from_row).transpose()
}

/// The account with this normalised address.
pub async fn find_by_email(db: &impl Connection, email: &str) -> Result<Option<User>, Error> {
    let rows = db
        .query(
            "SELECT id, email, hashed_password, is_active, is_admin, created_at FROM users WHERE email = ?1",
            params![email],
        )
        .await?;
    rows.first().map(User::from_row).transpose()
}

/// The account with this id.
pub async fn find_by_id(db: &impl Connection, id: i64) -> Result<Option<User>, Error> {
    let rows = db
        .query(
            "SELECT id, email, hashed_password, is_active, is_admin, created_at FROM users WHERE id = ?1",
            params![id],
        )
        .await?;
    rows.first().map(User::from_row).transpose()
}

/// The account with this id, and the session that this access token of it belongs to, if that is valid: everything that
/// is asked on every request, by three indexes.
pub async fn find_with_session(
    db: &impl Connection,
    id: i64,
    access_jti: &str,
    now: Timestamp,
) -> Result<Option<(User, Option<i64>)>, Error> {
    let rows = db
        .query(
            "SELECT u.id, u.email, u.hashed_password, u.is_active, u.is_admin, u.created_at,
                    (SELECT coalesce(s.chain_id, s.id) FROM sessions AS s
                     WHERE s.access_token_jti = ?2 AND s.user_id = u.id
                       AND (s.is_valid = 1 AND s.expires_at >= ?3
                            OR EXISTS (SELECT 1 FROM sessions AS newer
                                       WHERE newer.chain_id = coalesce(s.chain_id, s.id)
                                         AND newer.is_valid = 1 AND newer.expires_at >= ?3)))
             FROM users AS u WHERE u.id = ?1",
            params![id, access_jti, now],
        )
        .await?;
    rows.first().map(|row| Ok((User::from_row(row)?, row.get(6)?))).transpose()
}

/// Changes an account; `None` if another one has the new address, or there is no such account.
pub async fn update(db: &impl Connection, id: i64, changes: &Changes, now: Timestamp) -> Result<Option<User>, Error> {
    let rows = db
        .query(
            "UPDATE OR IGNORE users
             SET email = coalesce(?2, email), is_active = coalesce(?3, is_active), is_admin = coalesce(?4, is_admin),
                 updated_at = ?5
             WHERE id = ?1
             RETURNING id, email, hashed_password, is_active, is_admin, created_at",
            params![id, changes.email.clone(), changes.is_active, changes.is_admin, now],
        )
        .await?;
    rows.first().map(User::from_row).transpose()
}

/// Gives an account another password.
pub async fn set_password(db: &impl Connection, id: i64, hashed_password: &str, now: Timestamp) -> Result<(), Error> {
    db.query("UPDATE users SET hashed_password = ?2, updated_at = ?3 WHERE id = ?1", params![id, hashed_password, now])
        .await?;
    Ok(())
}

/// Replaces the hash of the same password: nothing that the account's owner did, so `updated_at` stays.
pub async fn replace_hash(db: &impl Connection, id: i64, hashed_password: &str) -> Result<(), Error> {
    db.query("UPDATE users SET hashed_password = ?2 WHERE id = ?1", params![id, hashed_password]).await?;
    Ok(())
}

/// Deletes an account, whose sessions must be gone.
pub async fn delete(db: &impl Connection, id: i64) -> Result<(), Error> {
    db.query("DELETE FROM users WHERE id = ?1", params![id]).await?;
    Ok(())
}

/// Whether there is an active administrator beside this account.
pub async fn has_other_active_admin(db: &impl Connection, id: i64) -> Result<bool, Error> {
    let rows =
        db.query("SELECT 1 FROM users WHERE is_admin = 1 AND is_active = 1 AND id <> ?1 LIMIT 1", params![id]).await?;
    Ok(!rows.is_empty())
}
