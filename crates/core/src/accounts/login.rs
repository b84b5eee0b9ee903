//! Opening a session with a password.

use super::audited::AuditedAction;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::config::EmailVerification;
use crate::email::Email;
use crate::error::Error;
use crate::password::{self, Verdict};
use crate::secret::Secret;
use crate::throttle::Attempt;
use crate::token_pairs::{self, Checked};
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
    let mut outcome = check(context, email, password, &attempt).await;
    if matches!(outcome, Ok(Outcome::Changed)) {
        // Probably a simultaneous login renewed the hash of the same password.
        outcome = check(context, email, password, &attempt).await;
    }
    let (error, user_id) = match outcome {
        Ok(Outcome::Opened(pair)) => {
            attempt.forget_pauses(context.cache).await;
            return Ok(pair);
        }
        Ok(Outcome::Refused(error, user_id)) => {
            // The password was right: not a guess.
            attempt.cancel(context.db, context.cache).await?;
            (error, Some(user_id))
        }
        Ok(Outcome::Wrong(user_id)) => (Error::InvalidCredentials, user_id),
        Ok(Outcome::Changed) => (Error::InvalidCredentials, None),
        Err(error) => {
            // The database has probably failed, and the first error is the one to report.
            let _ = attempt.cancel(context.db, context.cache).await;
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
    /// The account changed while the password was compared with its former hash.
    Changed,
}

async fn check(context: &AppContext<'_>, email: &str, password: &str, attempt: &Attempt) -> Result<Outcome, Error> {
    let AppContext { db, config, client, now, .. } = *context;
    let user = users::find_by_email(db, email).await?;
    let stored = user.as_ref().map(|user| user.hashed_password.as_str());
    let verdict = password::verify(password, stored, config.bcrypt_cost).await;
    let Some(user) = user else { return Ok(Outcome::Wrong(None)) };
    let renewed_hash = match verdict {
        Verdict::Wrong => return Ok(Outcome::Wrong(Some(user.id))),
        Verdict::RightButOutdated if user.is_active => Some(context.hash(password).await?),
        Verdict::Right | Verdict::RightButOutdated => None,
    };
    let needs_verified_email = config.mail.email_verification == EmailVerification::Required;
    let hashed_password = user.hashed_password.as_str();
    let checked = Checked { user_id: user.id, hashed_password, renewed_hash, needs_verified_email, attempt };
    if let Some(issued) = token_pairs::log_in(db, checked, context.new_tokens(), client, now).await? {
        return Ok(Outcome::Opened(context.sign(user.id, &issued)?));
    }
    let Some(current) = users::find_by_id(db, user.id).await? else { return Ok(Outcome::Wrong(Some(user.id))) };
    Ok(if current.hashed_password != user.hashed_password {
        Outcome::Changed
    } else if !current.is_active {
        Outcome::Refused(Error::AccountInactive, user.id)
    } else if !current.email_verified && needs_verified_email {
        Outcome::Refused(Error::EmailNotVerified, user.id)
    } else {
        Outcome::Changed
    })
}
