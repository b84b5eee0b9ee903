//! Opening a session with a password.

use lanterne_database::transaction;

use super::event::Event;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::email::Email;
use crate::error::Error;
use crate::password::{self, Verdict};
use crate::secret::Secret;
use crate::users;

/// Opens a session.
///
/// # Errors
/// [`Error::Throttled`] after too many failures, whatever the password. [`Error::InvalidCredentials`] for an unknown
/// address or a wrong password, which take the same time. [`Error::AccountInactive`] only for the right password.
pub async fn login(context: &AppContext<'_>, email: &Email, password: &Secret) -> Result<TokenPair, Error> {
    let (email, password) = (email.as_str(), password.expose());
    let mut event = Event { action: Action::LoginFailed, user_id: None, resource_id: None, subject: email.to_owned() };
    let attempt = match context.begin_attempt(email) {
        Ok(attempt) => attempt,
        Err(pause) => {
            let error = Error::Throttled(pause.seconds);
            if pause.is_first_refusal {
                event.action = Action::LoginThrottled;
                event.user_id = users::find_by_email(context.db, email).await?.map(|user| user.id);
                event.refuse(context, &error).await?;
            }
            return Err(error);
        }
    };
    let mut outcome = check(context, email, password).await;
    if matches!(outcome, Ok(Outcome::HashReplaced)) {
        // Probably a simultaneous login renewed the hash of the same password.
        outcome = check(context, email, password).await;
    }
    match outcome {
        Ok(Outcome::Opened(pair)) => {
            attempt.succeeded();
            return Ok(pair);
        }
        // The password was right, or the server failed: not a wrong guess.
        Ok(Outcome::Refused(Error::AccountInactive, _)) | Err(_) => attempt.cancel(),
        Ok(Outcome::Refused(..) | Outcome::HashReplaced) => {}
    }
    let error = match outcome? {
        Outcome::Refused(error, user_id) => {
            event.user_id = user_id;
            error
        }
        Outcome::Opened(_) | Outcome::HashReplaced => Error::InvalidCredentials,
    };
    event.refuse(context, &error).await?;
    Err(error)
}

/// The outcome of a password check.
enum Outcome {
    Opened(TokenPair),
    /// With the account's id, if there is one.
    Refused(Error, Option<i64>),
    /// The account's hash changed while the password was compared with the former one.
    HashReplaced,
}

async fn check(context: &AppContext<'_>, email: &str, password: &str) -> Result<Outcome, Error> {
    let user = users::find_by_email(context.db, email).await?;
    let stored = user.as_ref().map(|user| user.hashed_password.as_str());
    let verdict = password::verify(password, stored, context.config.bcrypt_cost).await;
    let Some(user) = user else { return Ok(Outcome::Refused(Error::InvalidCredentials, None)) };
    let renewed = match verdict {
        Verdict::Wrong => return Ok(Outcome::Refused(Error::InvalidCredentials, Some(user.id))),
        Verdict::RightButOutdated if user.is_active => Some(context.hash(password).await?),
        Verdict::Right | Verdict::RightButOutdated => None,
    };
    transaction(context.db, async {
        // The account may have changed during hashing: read it again.
        let Some(current) = users::find_by_id(context.db, user.id).await? else {
            return Ok(Outcome::Refused(Error::InvalidCredentials, Some(user.id)));
        };
        if current.hashed_password != user.hashed_password {
            return Ok(Outcome::HashReplaced);
        }
        if !current.is_active {
            return Ok(Outcome::Refused(Error::AccountInactive, Some(user.id)));
        }
        if let Some(hash) = &renewed {
            users::replace_hash(context.db, current.id, hash).await?;
        }
        let pair = context.issue_tokens(&current, None, context.now).await?;
        let event = Event { action: Action::Login, user_id: Some(user.id), resource_id: None, subject: String::new() };
        event.record(context, format!("User logged in: {}", current.email)).await?;
        Ok(Outcome::Opened(pair))
    })
    .await
}
