//! The table `one_time_tokens`: secrets that are good once, for one purpose, one account and one address.
//!
//! An account has at most one token for each purpose: a new one replaces the former.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanterne_database::{Connection, Error, Row, Timestamp, params};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// The length of a token: it cannot be guessed, so its hash needs neither salt nor key.
const TOKEN_BYTES: usize = 32;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a new password.
    PasswordReset,
    /// Verifying the account's address, or the address that it is to have.
    EmailVerification,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
        }
    }
}

/// A new token.
pub struct NewToken<'a> {
    /// The account.
    pub user_id: i64,
    /// What it is good for.
    pub purpose: Purpose,
    /// The address that it is good for.
    pub email: &'a str,
    /// Whether it is sent to that address, so that its use verifies the address.
    pub is_mailed: bool,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A stored token that has not expired.
#[derive(Debug)]
pub struct StoredToken {
    /// The account.
    pub user_id: i64,
    /// The address that it is good for.
    pub email: String,
    /// Whether it was sent to that address.
    pub is_mailed: bool,
}

impl StoredToken {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self { user_id: row.get(0)?, email: row.get(1)?, is_mailed: row.get(2)? })
    }
}

/// Generates a token of 256 random bits, in Base64url.
///
/// # Errors
/// The host provides no random bytes.
pub fn generate() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Returns the SHA-256 of a token, in Base64url.
fn hash(token: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.expose()))
}

/// Stores the hash of a token, and ends the account's former one of the same purpose.
pub async fn replace(db: &dyn Connection, token: &Secret, new: &NewToken<'_>, now: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO one_time_tokens (user_id, purpose, token_hash, email, is_mailed, created_at, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (user_id, purpose) DO UPDATE
               SET token_hash = excluded.token_hash, email = excluded.email, is_mailed = excluded.is_mailed,
                   created_at = excluded.created_at, expires_at = excluded.expires_at";
    let NewToken { user_id, purpose, email, is_mailed, expires_at } = *new;
    db.execute(sql, params![user_id, purpose.name(), hash(token), email, is_mailed, now, expires_at]).await
}

/// Finds a token that can be used now.
pub async fn find(
    db: &dyn Connection,
    token: &Secret,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<StoredToken>, Error> {
    let sql = "SELECT user_id, email, is_mailed FROM one_time_tokens
               WHERE token_hash = ?1 AND purpose = ?2 AND expires_at > ?3";
    db.query_first(sql, params![hash(token), purpose.name(), now], StoredToken::from_row).await
}

/// Uses a token up; `None` if there is none. One statement, so that exactly one of any number of simultaneous uses succeeds.
pub async fn take(
    db: &dyn Connection,
    token: &Secret,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<StoredToken>, Error> {
    let sql = "DELETE FROM one_time_tokens WHERE token_hash = ?1 AND purpose = ?2 AND expires_at > ?3
               RETURNING user_id, email, is_mailed";
    db.query_first(sql, params![hash(token), purpose.name(), now], StoredToken::from_row).await
}

/// Returns the address that the account has a token to verify.
pub async fn pending_email(db: &dyn Connection, user_id: i64, now: Timestamp) -> Result<Option<String>, Error> {
    let sql = "SELECT email FROM one_time_tokens WHERE user_id = ?1 AND purpose = ?2 AND expires_at > ?3";
    db.query_first(sql, params![user_id, Purpose::EmailVerification.name(), now], |row| row.get(0)).await
}

/// Ends all tokens of the account.
pub async fn end_all(db: &dyn Connection, user_id: i64) -> Result<(), Error> {
    db.execute("DELETE FROM one_time_tokens WHERE user_id = ?1", params![user_id]).await
}

#[cfg(test)]
mod tests {
    use super::{Secret, generate, hash};

    #[test]
    fn tokens_have_256_random_bits() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one, other);
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash(&Secret::new("abc")), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
