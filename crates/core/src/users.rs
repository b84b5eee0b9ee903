//! The table `users`: one statement a function, its text beside the reading of its rows.

use crate::db::{Connection, Error, Row};
use crate::params;
use crate::timestamp::Timestamp;

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Never changes.
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
    /// Whether it may administer other accounts.
    pub is_admin: bool,
}

impl User {
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

/// Makes an active account; `None` if the address is taken. The statement itself decides between two that try at once.
pub async fn insert(db: &impl Connection, user: NewUser<'_>, now: Timestamp) -> Result<Option<User>, Error> {
    let rows = db
        .query(
            "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
             VALUES (?1, ?2, 1, ?3, ?4, ?4)
             ON CONFLICT (email) DO NOTHING
             RETURNING id, email, hashed_password, is_active, is_admin, created_at",
            params![user.email, user.hashed_password, user.is_admin, now],
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

/// Replaces the hash of the same password: nothing that the account's owner did, so `updated_at` stays.
pub async fn replace_hash(db: &impl Connection, id: i64, hashed_password: &str) -> Result<(), Error> {
    db.query("UPDATE users SET hashed_password = ?2 WHERE id = ?1", params![id, hashed_password]).await?;
    Ok(())
}
