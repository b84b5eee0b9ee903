//! Opening a session with a password.

use lanterne_database::transaction;

use super::audited::AuditedAction;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::config::EmailVerification;
use crate::email::Email;
use crate::error::Error;
use crate::password::{self, Verdict};
use crate::secret::Secret;
use crate::users;

/// Opens a session.
///
/// # Errors
/// [`Error::Throttled`] after too many failures, whatever the password. [`Error::InvalidCredentials`] for an unknown
/// address or a wrong password, which take the same time. [`Error::AccountInactive`] and [`Error::EmailNotVerified`] only for
/// the right password.
pub async fn login(context: &AppContext<'_>, email: &Email, password: &Secret) -> Result<TokenPair, Error> {
    let (email, password) = (email.as_str(), password.expose());
    let throttled = AuditedAction::new(Action::LoginThrottled, None, email);
    let attempt = context.begin_attempt(email, &throttled).await?;
    let mut outcome = check(context, email, password).await;
    if matches!(outcome, Ok(Outcome::HashReplaced)) {
        // Probably a simultaneous login renewed the hash of the same password.
        outcome = check(context, email, password).await;
    }
    let (error, user_id) = match outcome {
        Ok(Outcome::Opened(pair)) => {
            attempt.succeeded();
            return Ok(pair);
        }
        Ok(Outcome::Refused(error, user_id)) => {
            // The password was right: not a guess.
            attempt.cancel();
            (error, Some(user_id))
        }
        Ok(Outcome::Wrong(user_id)) => (Error::InvalidCredentials, user_id),
        Ok(Outcome::HashReplaced) => (Error::InvalidCredentials, None),
        Err(error) => {
            attempt.cancel();
            return Err(error);
        }
    };
    AuditedAction::new(Action::LoginFailed, user_id, email).refuse(context, &error).await?;
    Err(error)
}

/// The outcome of a password check. The ids are those of the account.
enum Outcome {
    Opened(TokenPair),
    /// The right password of an account that cannot log in, for this reason.
    Refused(Error, i64),
    /// An unknown address, or a wrong password.
    Wrong(Option<i64>),
    /// The account's hash changed while the password was compared with the former one.
    HashReplaced,
}

async fn check(context: &AppContext<'_>, email: &str, password: &str) -> Result<Outcome, Error> {
    let user = users::find_by_email(context.db, email).await?;
    let stored = user.as_ref().map(|user| user.hashed_password.as_str());
    let verdict = password::verify(password, stored, context.config.bcrypt_cost).await;
    let Some(user) = user else { return Ok(Outcome::Wrong(None)) };
    let renewed = match verdict {
        Verdict::Wrong => return Ok(Outcome::Wrong(Some(user.id))),
        Verdict::RightButOutdated if user.is_active => Some(context.hash(password).await?),
        Verdict::Right | Verdict::RightButOutdated => None,
    };
    transaction(context.db, async {
        // The account may have changed during hashing: read it again.
        let Some(current) = users::find_by_id(context.db, user.id).await? else {
            return Ok(Outcome::Wrong(Some(user.id)));
        };
        if current.hashed_password != user.hashed_password {
            return Ok(Outcome::HashReplaced);
        }
        if !current.is_active {
            return Ok(Outcome::Refused(Error::AccountInactive, user.id));
        }
        if !current.email_verified && context.config.mail.email_verification == EmailVerification::Required {
            return Ok(Outcome::Refused(Error::EmailNotVerified, user.id));
        }
        if let Some(hash) = &renewed {
            users::replace_hash(context.db, current.id, hash).await?;
        }
        let pair = context.issue_tokens(&current, None, context.now).await?;
        let action = AuditedAction::new(Action::Login, Some(user.id), &current.email);
        action.record(context, format!("User logged in: {}", current.email)).await?;
        Ok(Outcome::Opened(pair))
    })
    .await
}
