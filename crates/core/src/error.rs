//! The errors of the domain. `src/error.rs` of the API component maps them to HTTP responses.

use lanterne_database as db;

use crate::blocklist::GuessablePassword;

/// A refused or failed request. Its text is for the client, except for [`Error::Internal`], whose source is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another account has this address.
    #[error("Email already registered")]
    EmailTaken,
    /// An unknown address or a wrong password; the client is not told which.
    #[error("Incorrect email or password")]
    InvalidCredentials,
    /// Too many failed attempts; no password is checked for this many seconds.
    #[error("Too many attempts. Try again in {0} seconds.")]
    Throttled(u64),
    /// The right password of an inactive account.
    #[error("Account is inactive")]
    AccountInactive,
    /// The right password of an account whose address is not verified.
    #[error("Email not verified")]
    EmailNotVerified,
    /// There is no address to verify.
    #[error("Email already verified")]
    EmailVerified,
    /// Nobody can register.
    #[error("Registration is closed")]
    RegistrationClosed,
    /// A one-time token that is unknown, used, expired, or for something else.
    #[error("Invalid or expired token")]
    OneTimeToken,
    /// A password that many would guess.
    #[error(transparent)]
    GuessablePassword(#[from] GuessablePassword),
    /// A missing or refused access token.
    #[error(transparent)]
    AccessToken(#[from] AccessTokenError),
    /// The caller is not an administrator.
    #[error("Admin privileges required")]
    AdminRequired,
    /// A wrong password of the calling account.
    #[error("Incorrect password")]
    WrongPassword,
    /// There is no account with this id.
    #[error("User not found")]
    UserNotFound,
    /// The caller has no valid session with this id.
    #[error("Session not found")]
    SessionNotFound,
    /// No active administrator would be left.
    #[error("Last active admin")]
    LastAdmin,
    /// A table that was added to the schema refers to the account without `ON DELETE CASCADE`.
    #[error("User is still referenced")]
    UserReferenced,
    /// A refused refresh token.
    #[error(transparent)]
    RefreshToken(#[from] RefreshTokenError),
    /// An internal error.
    #[error("Internal Server Error")]
    Internal(#[from] anyhow::Error),
}

/// Why an access token is refused, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenError {
    /// There is none.
    #[error("Not authenticated")]
    Missing,
    /// It is malformed, expired, or not signed by this server.
    #[error("Could not validate credentials")]
    Invalid,
    /// It is a refresh token.
    #[error("Invalid token type")]
    WrongType,
    /// Its account was deleted.
    #[error("User not found")]
    UserNotFound,
    /// Its session has ended.
    #[error("Invalid or expired access token")]
    SessionEnded,
}

/// Why a refresh token is refused, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshTokenError {
    /// It is malformed, expired, or not signed by this server.
    #[error("Invalid token")]
    Invalid,
    /// It is an access token.
    #[error("Invalid token type")]
    WrongType,
    /// It names no account or no session.
    #[error("Invalid token format")]
    Malformed,
    /// It was used before, or its session has ended.
    #[error("Invalid or expired refresh token")]
    Spent,
    /// Its session has expired.
    #[error("Refresh token has expired")]
    SessionExpired,
    /// Its account is deleted or inactive.
    #[error("User not found or inactive")]
    NoActiveUser,
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Internal(error.into())
    }
}
