//! Messages: writing them to the outbox, and delivering them.
//!
//! A message is delivered at least once, always with the same id and body. Whether somebody who asks for one has an account is
//! looked up just before the delivery, so that the request does the same work for everybody.

mod delivery;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lanterne_database::{Connection, Timestamp};

pub use self::delivery::{Courier, Post, Run, deliver};
use crate::config::MailConfig;
use crate::error::Error;
use crate::one_time_tokens::{self, NewToken, Purpose};
use crate::outbox::{self, Kind, NewMessage};
use crate::secret::Secret;
use crate::users::User;

/// The maximum number of messages of one kind to an account, and to an address, in [`LIMIT_WINDOW`].
const LIMIT: i64 = 3;
/// The window of this limit.
const LIMIT_WINDOW: Duration = Duration::from_secs(60 * 60);

/// A token to hand over.
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// The page to use it on, if one is configured.
    pub url: Option<String>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Creates a token for an account and an address; the former one of the same purpose ends. `is_mailed` tells whether it is
/// sent to that address.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn issue(
    db: &dyn Connection,
    config: &MailConfig,
    user_id: i64,
    purpose: Purpose,
    email: &str,
    is_mailed: bool,
    now: Timestamp,
) -> Result<Issued, Error> {
    let token = one_time_tokens::generate().map_err(|error| no_randomness(&error))?;
    let (page, ttl, kind) = match purpose {
        Purpose::PasswordReset => (&config.password_reset_url, config.password_reset_ttl, Kind::PasswordReset),
        Purpose::EmailVerification => {
            (&config.email_verification_url, config.email_verification_ttl, Kind::EmailVerify)
        }
    };
    let expires_at = now.after(ttl);
    let new = NewToken { user_id, purpose, email, is_mailed, expires_at };
    one_time_tokens::replace(db, &token, &new, now).await?;
    // Messages that wait carry the token that was just replaced.
    outbox::cancel(db, user_id, kind).await?;
    let url = page.as_deref().map(|page| link(page, &token));
    Ok(Issued { token, url, expires_at })
}

/// Ends all tokens of an account, and the messages that carry them.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn end_tokens(db: &dyn Connection, user_id: i64) -> Result<(), Error> {
    one_time_tokens::end_all(db, user_id).await?;
    Ok(outbox::cancel_tokens(db, user_id).await?)
}

/// Writes a message with a new token to verify an address of the account.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn post_verification(
    db: &dyn Connection,
    config: &MailConfig,
    user: &User,
    email: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let issued = issue(db, config, user.id, Purpose::EmailVerification, email, true, now).await?;
    let token = Some((&issued.token, issued.expires_at));
    post(db, Kind::EmailVerify, Some(user.id), email, token, now).await
}

/// Writes a message without a token to the present address of an account, unless it has got as many as it can get.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn post_notice(db: &dyn Connection, kind: Kind, user: &User, now: Timestamp) -> Result<(), Error> {
    if pause(db, user.id, &user.email, kind, now).await?.is_some() {
        return Ok(());
    }
    post(db, kind, Some(user.id), &user.email, None, now).await
}

/// Writes a message that somebody asked for, who may have no account.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn post_request(db: &dyn Connection, kind: Kind, email: &str, now: Timestamp) -> Result<(), Error> {
    post(db, kind, None, email, None, now).await
}

async fn post(
    db: &dyn Connection,
    kind: Kind,
    user_id: Option<i64>,
    recipient: &str,
    token: Option<(&Secret, Timestamp)>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| no_randomness(&error))?;
    let message_id = format!("msg_{}", URL_SAFE_NO_PAD.encode(id));
    let message = NewMessage { message_id: &message_id, kind, user_id, recipient, token };
    Ok(outbox::insert(db, &message, now).await?)
}

/// Returns how long an account and an address have to wait for the next message of this kind; `None` if it can be sent now.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn pause(
    db: &dyn Connection,
    user_id: i64,
    recipient: &str,
    kind: Kind,
    now: Timestamp,
) -> Result<Option<Duration>, Error> {
    let since = now.before(LIMIT_WINDOW);
    if outbox::count_since(db, user_id, recipient, kind, since).await? < LIMIT {
        return Ok(None);
    }
    let oldest = outbox::oldest_since(db, user_id, recipient, kind, since).await?;
    Ok(oldest.map(|oldest| oldest.since(since)))
}

/// Adds the token to the query of a page.
fn link(page: &str, token: &Secret) -> String {
    let separator = if page.contains('?') { '&' } else { '?' };
    format!("{page}{separator}token={}", token.expose())
}

fn no_randomness(error: &getrandom::Error) -> Error {
    Error::Internal(anyhow::anyhow!("no randomness for a token: {error}"))
}

/// Describes an error for the log, with its cause.
#[must_use]
pub fn cause(error: &Error) -> String {
    match error {
        Error::Internal(cause) => format!("{cause:#}"),
        error => error.to_string(),
    }
}
