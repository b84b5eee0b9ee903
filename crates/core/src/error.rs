//! What can go wrong, in the words of the domain. How each is answered over HTTP is the API component's to say.

use crate::validation::FieldError;
use lanterne_database as db;

use crate::token;

/// Why a request was not done. The text of a variant is for the client, except for [`Error::Internal`], whose cause is
/// for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body cannot be read as text of the announced kind.
    #[error("There was an error parsing the body")]
    Unparseable,
    /// The body was read, and fields of it are not as they should be.
    #[error("the request has invalid fields")]
    Invalid(Vec<FieldError>),
    /// Another account has this address.
    #[error("Email already registered")]
    EmailTaken,
    /// No such account, or not its password: which of the two is nobody's business.
    #[error("Incorrect email or password")]
    BadCredentials,
    /// Too many wrong passwords so far: none is looked at for so many seconds.
    #[error("Too many attempts. Try again in {0} seconds.")]
    Throttled(i64),
    /// The right password of an account that an administrator switched off.
    #[error("Account is inactive")]
    AccountInactive,
    /// No access token, or one that opens nothing.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// What only administrators may do.
    #[error("Admin privileges required")]
    NotAdmin,
    /// Not the password of the account that asks.
    #[error("Incorrect password")]
    WrongPassword,
    /// No such account.
    #[error("User not found")]
    NoUser,
    /// No such session of this account that is still valid.
    #[error("Session not found")]
    NoSession,
    /// There would be no active administrator any more.
    #[error("Last active admin")]
    LastAdmin,
    /// A refresh token that buys nothing.
    #[error("{0}")]
    RefreshRefused(#[from] Refusal),
    /// The server's own fault.
    #[error("Internal Server Error")]
    Internal(#[source] anyhow::Error),
}

/// Why a refresh token is refused, in the order in which it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a token of this server, or past its time.
    #[error("Invalid token")]
    Token,
    /// An access token.
    #[error("Invalid token type")]
    Type,
    /// A token that names no account or no session.
    #[error("Invalid token format")]
    Format,
    /// Its session was ended, or the token was used before.
    #[error("Invalid or expired refresh token")]
    Session,
    /// Its session is over.
    #[error("Refresh token has expired")]
    Expired,
    /// Its account is gone or switched off.
    #[error("User not found or inactive")]
    User,
}

/// Why an access token is refused, in the order in which it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// There is none.
    #[error("Not authenticated")]
    Missing,
    /// Not a token of this server, or past its time.
    #[error("Could not validate credentials")]
    Token,
    /// A refresh token.
    #[error("Invalid token type")]
    Type,
    /// Its account is gone.
    #[error("User not found")]
    User,
    /// Its session was ended.
    #[error("Invalid or expired access token")]
    Session,
}

impl From<token::Fault> for Denial {
    fn from(fault: token::Fault) -> Self {
        match fault {
            token::Fault::Type => Self::Type,
            token::Fault::Invalid | token::Fault::Format => Self::Token,
        }
    }
}

impl From<token::Fault> for Refusal {
    fn from(fault: token::Fault) -> Self {
        match fault {
            token::Fault::Invalid => Self::Token,
            token::Fault::Type => Self::Type,
            token::Fault::Format => Self::Format,
        }
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}
