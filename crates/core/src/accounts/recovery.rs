//! Forgotten passwords and the verification of addresses, with one-time tokens that go to an address of the account.
//!
//! Nobody learns here who has an account: a request writes the same rows for every address, and the account is looked up before
//! the delivery.

use super::AppContext;
use super::access::{self, Caller};
use super::audited::AuditedAction;
use crate::audit::Action;
use crate::email::Email;
use crate::error::Error;
use crate::one_time_tokens::{self, Purpose, StoredToken};
use crate::outbox::Kind;
use crate::secret::{NewPassword, Secret};
use crate::throttle::{self, RECOVERIES};
use crate::users::{self, Changes, User};
use crate::{mail, sessions};

/// Asks for a message with a token to set a new password.
///
/// # Errors
/// [`Error::Throttled`] after too many requests from one network.
pub async fn forgot_password(context: &AppContext<'_>, email: &Email) -> Result<(), Error> {
    let action = AuditedAction::new(Action::PasswordForgot, None, email.as_str());
    request(context, &action, Kind::PasswordReset, "Message to reset the password requested").await
}

/// Asks for a message with a token to verify an address, without a login.
///
/// # Errors
/// [`Error::Throttled`] after too many requests from one network.
pub async fn request_verification(context: &AppContext<'_>, email: &Email) -> Result<(), Error> {
    let action = AuditedAction::new(Action::EmailVerification, None, email.as_str());
    request(context, &action, Kind::EmailVerify, "Message to verify the address requested").await
}

/// Writes a message to an address, whether it has an account or not.
async fn request(context: &AppContext<'_>, action: &AuditedAction, kind: Kind, details: &str) -> Result<(), Error> {
    context.admit(&RECOVERIES, action).await?;
    let work = async {
        mail::post_request(context.db, kind, &action.subject, context.now).await?;
        context.has_posted.set(true);
        action.record(context, format!("{details}: {}", action.subject)).await
    };
    action.run(context, work).await
}

/// Sets a new password with a token, and ends all sessions. A token that went to the account's address verifies it.
///
/// # Errors
/// [`Error::OneTimeToken`], [`Error::GuessablePassword`]. [`Error::Throttled`] after too many requests from one network.
pub async fn reset_password(context: &AppContext<'_>, token: &Secret, new_password: &NewPassword) -> Result<(), Error> {
    const PURPOSE: Purpose = Purpose::PasswordReset;
    let (action, found) = find(context, Action::PasswordReset, token, PURPOSE).await?;
    context.check_password(new_password, &found.email)?;
    let hashed_password = context.hash(new_password.expose()).await?;
    let work = async {
        let (user, token) = take(context, token, PURPOSE).await?;
        // The address may have changed since the token was sent.
        if user.email != token.email {
            return Err(Error::OneTimeToken);
        }
        users::set_password(context.db, user.id, &hashed_password, context.now).await?;
        if token.is_mailed && !user.email_verified {
            let changes = Changes { email_verified: Some(true), ..Changes::default() };
            users::update(context.db, user.id, &changes, context.now).await?;
        }
        // A thief may have asked for a change of the address, whose token needs no session.
        mail::end_tokens(context.db, user.id).await?;
        let count = sessions::end_all(context.db, user.id, None).await?;
        context.post_notice(Kind::PasswordChanged, &user).await?;
        action.record(context, format!("Password reset, all sessions ended ({count}): {}", user.email)).await?;
        Ok(user)
    };
    let user = action.run(context, work).await?;
    let (config, client) = (context.config, context.client);
    if config.throttle {
        // The password is already set. Counters that remain cost the owner a pause at most.
        let _ =
            throttle::forgive(context.db, context.cache, &config.keys, &user.email, client.address.as_deref()).await;
    }
    Ok(())
}

/// Verifies the account's address with a token, or gives the account the address that the token is for.
///
/// # Errors
/// [`Error::OneTimeToken`]. [`Error::EmailTaken`] if another account has got that address meanwhile. [`Error::Throttled`] after
/// too many requests from one network.
pub async fn verify_email(context: &AppContext<'_>, token: &Secret) -> Result<(), Error> {
    const PURPOSE: Purpose = Purpose::EmailVerification;
    let (action, _) = find(context, Action::EmailVerify, token, PURPOSE).await?;
    let work = async {
        let (user, token) = take(context, token, PURPOSE).await?;
        let is_own = token.email == user.email;
        let email = if is_own { None } else { Some(stored_email(&token)?) };
        let changes = Changes { email, email_verified: Some(true), ..Changes::default() };
        let changed = users::update(context.db, user.id, &changes, context.now).await?.ok_or(Error::EmailTaken)?;
        if is_own {
            return action.record(context, format!("Email verified: {}", user.email)).await;
        }
        mail::end_tokens(context.db, user.id).await?;
        let action = AuditedAction { action: Action::EmailChange, ..action.clone() };
        action.record(context, format!("Email changed: {} to {}", user.email, changed.email)).await
    };
    action.run(context, work).await
}

/// Sends the caller the message to verify an address again: of the address that it is to have, or of its own.
///
/// # Errors
/// [`Error::EmailVerified`], [`Error::Throttled`].
pub async fn resend_verification(context: &AppContext<'_>, caller: &Caller) -> Result<(), Error> {
    let action = caller.action(Action::EmailVerification, Some(caller.user.id));
    let work = async {
        let user = access::reload(context, caller).await?.user;
        let pending = one_time_tokens::pending_email(context.db, user.id, context.now).await?;
        let unverified = Some(user.email.clone()).filter(|_| !user.email_verified);
        let email = pending.filter(|email| *email != user.email).or(unverified).ok_or(Error::EmailVerified)?;
        context.check_message_limit(&user, &email, Kind::EmailVerify).await?;
        context.post_verification(&user, &email).await?;
        action.record(context, format!("Message to verify the address requested: {email}")).await
    };
    action.run(context, work).await
}

/// Finds the token of a request. One that is unknown is not audited: it identifies no account, and anyone could fill the log.
async fn find(
    context: &AppContext<'_>,
    action: Action,
    token: &Secret,
    purpose: Purpose,
) -> Result<(AuditedAction, StoredToken), Error> {
    context.admit(&RECOVERIES, &AuditedAction::new(action, None, "")).await?;
    let found = one_time_tokens::find(context.db, token, purpose, context.now).await?.ok_or(Error::OneTimeToken)?;
    let (user_id, subject) = (Some(found.user_id), found.email.clone());
    Ok((AuditedAction { action, user_id, resource_id: user_id, subject }, found))
}

/// Returns the address of a token, which was checked when it was created.
fn stored_email(token: &StoredToken) -> Result<Email, Error> {
    Email::parse(&token.email).map_err(|reason| Error::Internal(anyhow::anyhow!("a token for no address: {reason}")))
}

/// Uses the token up in the transaction of its action; returns its active account.
async fn take(context: &AppContext<'_>, token: &Secret, purpose: Purpose) -> Result<(User, StoredToken), Error> {
    let taken = one_time_tokens::take(context.db, token, purpose, context.now).await?.ok_or(Error::OneTimeToken)?;
    let user = users::find_by_id(context.db, taken.user_id).await?.filter(|user| user.is_active);
    Ok((user.ok_or(Error::OneTimeToken)?, taken))
}
