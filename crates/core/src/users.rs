//! The table `users`.

use lanterne_database::{Connection, Error, Row, Timestamp, Value, params};

use crate::conditions::Conditions;
use crate::email::{Email, EmailPart};
use crate::pattern;

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Never changes and is never reused.
    pub id: i64,
    /// Normalized and unique.
    pub email: String,
    /// In the format of [`crate::password`].
    pub hashed_password: String,
    /// Whether it can log in.
    pub is_active: bool,
    /// Whether it is an administrator.
    pub is_admin: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether its owner has verified the address, or an administrator vouches for it.
    pub email_verified: bool,
}

/// The columns of a new account.
pub struct NewUser<'a> {
    /// Normalized.
    pub email: &'a str,
    /// In the format of [`crate::password`].
    pub hashed_password: &'a str,
    /// Whether it can log in.
    pub is_active: bool,
    /// Whether it is an administrator.
    pub is_admin: bool,
    /// Whether its address counts as verified.
    pub email_verified: bool,
}

/// Fields to update; `None` keeps the value.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The address.
    pub email: Option<Email>,
    /// Whether it can log in.
    pub is_active: Option<bool>,
    /// Whether it is an administrator.
    pub is_admin: Option<bool>,
    /// Whether its address counts as verified.
    pub email_verified: Option<bool>,
}

/// The columns of a [`User`].
const COLUMNS: &str = "id, email, hashed_password, is_active, is_admin, created_at, email_verified";

impl User {
    /// Reads [`COLUMNS`].
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            hashed_password: row.get(2)?,
            is_active: row.get(3)?,
            is_admin: row.get(4)?,
            created_at: row.get(5)?,
            email_verified: row.get(6)?,
        })
    }
}

/// Inserts an account; `None` if the address is taken. One statement, so that one of two simultaneous attempts fails.
pub async fn insert(db: &dyn Connection, user: NewUser<'_>, now: Timestamp) -> Result<Option<User>, Error> {
    let sql = format!(
        "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at, email_verified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
         ON CONFLICT (email) DO NOTHING
         RETURNING {COLUMNS}"
    );
    let NewUser { email, hashed_password, is_active, is_admin, email_verified } = user;
    db.query_first(&sql, params![email, hashed_password, is_active, is_admin, now, email_verified], User::from_row)
        .await
}

/// Finds the account with this normalized address.
pub async fn find_by_email(db: &dyn Connection, email: &str) -> Result<Option<User>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE email = ?1");
    db.query_first(&sql, params![email], User::from_row).await
}

/// Finds the account with this id.
pub async fn find_by_id(db: &dyn Connection, id: i64) -> Result<Option<User>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    db.query_first(&sql, params![id], User::from_row).await
}

/// Finds an account, and the id of the valid session that its access token belongs to: all that every authenticated request
/// needs, in one statement.
pub async fn find_with_session(
    db: &dyn Connection,
    id: i64,
    access_jti: &str,
    now: Timestamp,
) -> Result<Option<(User, Option<i64>)>, Error> {
    let sql = format!(
        "SELECT {COLUMNS},
                (SELECT coalesce(s.chain_id, s.id) FROM sessions AS s
                 WHERE s.access_token_jti = ?2 AND s.user_id = users.id
                   AND (s.is_valid = 1 AND s.expires_at >= ?3
                        OR EXISTS (SELECT 1 FROM sessions AS newer
                                   WHERE newer.chain_id = coalesce(s.chain_id, s.id)
                                     AND newer.is_valid = 1 AND newer.expires_at >= ?3)))
         FROM users WHERE id = ?1"
    );
    db.query_first(&sql, params![id, access_jti, now], |row| Ok((User::from_row(row)?, row.get(7)?))).await
}

/// Updates an account; `None` if the new address is taken, or the account does not exist.
pub async fn update(db: &dyn Connection, id: i64, changes: &Changes, now: Timestamp) -> Result<Option<User>, Error> {
    let sql = format!(
        "UPDATE OR IGNORE users
         SET email = coalesce(?2, email), is_active = coalesce(?3, is_active), is_admin = coalesce(?4, is_admin),
             updated_at = ?5, email_verified = coalesce(?6, email_verified)
         WHERE id = ?1
         RETURNING {COLUMNS}"
    );
    let email = changes.email.as_ref().map(Email::as_str);
    let Changes { is_active, is_admin, email_verified, .. } = *changes;
    db.query_first(&sql, params![id, email, is_active, is_admin, now, email_verified], User::from_row).await
}

/// Stores the hash of a new password.
pub async fn set_password(db: &dyn Connection, id: i64, hashed_password: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE users SET hashed_password = ?2, updated_at = ?3 WHERE id = ?1";
    db.execute(sql, params![id, hashed_password, now]).await
}

/// Replaces the hash of an unchanged password, and keeps `updated_at`.
pub async fn replace_hash(db: &dyn Connection, id: i64, hashed_password: &str) -> Result<(), Error> {
    db.execute("UPDATE users SET hashed_password = ?2 WHERE id = ?1", params![id, hashed_password]).await
}

/// Deletes an account, whose sessions must be deleted before.
pub async fn delete(db: &dyn Connection, id: i64) -> Result<(), Error> {
    db.execute("DELETE FROM users WHERE id = ?1", params![id]).await
}

/// Returns whether another account is an active administrator.
pub async fn has_other_active_admin(db: &dyn Connection, id: i64) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE is_admin = 1 AND is_active = 1 AND id <> ?1)";
    db.query_value(sql, params![id]).await
}

/// Which accounts to list; `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Accounts whose address contains this part, in any case.
    pub email_part: Option<EmailPart>,
    /// Active accounts, or inactive ones.
    pub is_active: Option<bool>,
    /// Administrators, or the others.
    pub is_admin: Option<bool>,
}

impl Filter {
    fn conditions(&self) -> (String, Vec<Value>) {
        Conditions::default()
            .and_any(self.email_part.iter().flat_map(EmailPart::forms).map(|form| contains(form)))
            .and("is_active = ?", self.is_active)
            .and("is_admin = ?", self.is_admin)
            .build()
    }
}

/// Returns the condition for addresses that contain `form` in any case.
fn contains(form: &str) -> (&'static str, String) {
    match form.is_ascii() {
        true => ("email LIKE ? ESCAPE '\\'", pattern::like(form)),
        false => ("email GLOB ?", pattern::glob(form)),
    }
}

/// Lists at most `limit` accounts after the first `offset`, by id.
pub async fn list(db: &dyn Connection, filter: &Filter, limit: i64, offset: i64) -> Result<Vec<User>, Error> {
    let (conditions, mut params) = filter.conditions();
    params.extend(params![limit, offset]);
    let sql = format!(
        "SELECT {COLUMNS} FROM users
         {conditions} ORDER BY id LIMIT ? OFFSET ?"
    );
    db.query(&sql, params).await?.iter().map(User::from_row).collect()
}

/// Counts accounts. Uses an index; a search in addresses reads all of them.
pub async fn count(db: &dyn Connection, filter: &Filter) -> Result<i64, Error> {
    let (conditions, params) = filter.conditions();
    db.query_value(&format!("SELECT count(*) FROM users {conditions}"), params).await
}
