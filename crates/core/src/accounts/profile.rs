//! Registering an account and changing one's own. Changes ask for the password again: a stolen access token must not be
//! enough to take an account over (ASVS 5.0, 7.5.1).

use super::access::{self, Caller};
use super::audited::AuditedAction;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::config::EmailVerification;
use crate::email::Email;
use crate::error::Error;
use crate::outbox::Kind;
use crate::password::{self, Verdict};
use crate::secret::{NewPassword, Secret};
use crate::sessions::{self, NewSession};
use crate::throttle::REGISTRATIONS;
use crate::token_pairs::{Issued, NewTokens};
use crate::users::{self, Changes, NewUser, User};
use crate::{mail, removal};

/// Creates an active account without administrator's rights, and posts a message to verify its address if the configuration
/// asks for it.
///
/// # Errors
/// [`Error::RegistrationClosed`]. [`Error::Throttled`] after too many registrations from one network. [`Error::EmailTaken`],
/// also for all but one of simultaneous registrations of one address. [`Error::GuessablePassword`].
pub async fn register(context: &AppContext<'_>, email: &Email, password: &NewPassword) -> Result<User, Error> {
    let email = email.as_str();
    let action = AuditedAction::new(Action::Register, None, email);
    context.admit(&REGISTRATIONS, &action).await?;
    if !context.config.registration {
        action.refuse(context, &Error::RegistrationClosed).await?;
        return Err(Error::RegistrationClosed);
    }
    context.check_password(password, email)?;
    if users::find_by_email(context.db, email).await?.is_some() {
        action.refuse(context, &Error::EmailTaken).await?;
        return Err(Error::EmailTaken);
    }
    let hashed_password = context.hash(password.expose()).await?;
    let hashed_password = hashed_password.as_str();
    let new_user = NewUser { email, hashed_password, is_active: true, is_admin: false, email_verified: false };
    let work = async {
        let user = users::insert(context.db, new_user, context.now).await?.ok_or(Error::EmailTaken)?;
        let is_verified = context.config.mail.email_verification == EmailVerification::Off;
        // Beyond the limit the owner can ask for it later.
        if !is_verified && mail::pause(context.db, user.id, email, Kind::EmailVerify, context.now).await?.is_none() {
            context.post_verification(&user, email).await?;
        }
        let action = AuditedAction { user_id: Some(user.id), resource_id: Some(user.id), ..action.clone() };
        action.record(context, format!("User registered: {email}")).await?;
        Ok(user)
    };
    action.run(context, work).await
}

/// The outcome of a change of address.
pub enum EmailChange {
    /// The account with its new address.
    Done(User),
    /// The address changes when it is verified.
    Pending,
}

/// Changes the caller's address, or posts a message to verify the new one first. The former address is told either way.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`], [`Error::EmailTaken`].
pub async fn change_email(
    context: &AppContext<'_>,
    caller: &Caller,
    current_password: &Secret,
    email: &Email,
) -> Result<EmailChange, Error> {
    let action = caller.action(Action::EmailChange, Some(caller.user.id));
    confirm_password(context, caller, &action, current_password).await?;
    let work = async {
        let user = reload_unchanged(context, caller).await?;
        let is_same = user.email == email.as_str();
        if !is_same {
            context.post_notice(Kind::EmailChanged, &user).await?;
        }
        if !is_same && context.config.mail.email_verification != EmailVerification::Off {
            if users::find_by_email(context.db, email.as_str()).await?.is_some() {
                return Err(Error::EmailTaken);
            }
            context.check_message_limit(&user, email.as_str(), Kind::EmailVerify).await?;
            context.post_verification(&user, email.as_str()).await?;
            action.record(context, format!("Email change requested: {} to {email}", user.email)).await?;
            return Ok(EmailChange::Pending);
        }
        // Nobody has verified another address.
        let email_verified = Some(user.email_verified && is_same);
        let changes = Changes { email: Some(email.clone()), email_verified, ..Changes::default() };
        let changed = users::update(context.db, user.id, &changes, context.now).await?.ok_or(Error::EmailTaken)?;
        mail::end_tokens(context.db, user.id).await?;
        action.record(context, format!("Email changed: {} to {}", user.email, changed.email)).await?;
        Ok(EmailChange::Done(changed))
    };
    action.run(context, work).await
}

/// What happens to the calling session when its password is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallingSession {
    /// It stays valid with its tokens.
    Keep,
    /// It ends, and a new one begins (ASVS 5.0, 7.2.4).
    Replace,
}

/// Changes the caller's password and ends all other sessions. Returns the tokens of the session that replaces the calling
/// one, if any.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`], [`Error::GuessablePassword`].
pub async fn change_password(
    context: &AppContext<'_>,
    caller: &Caller,
    current_password: &Secret,
    new_password: &NewPassword,
    calling_session: CallingSession,
) -> Result<Option<TokenPair>, Error> {
    context.check_password(new_password, &caller.user.email)?;
    let action = caller.action(Action::PasswordChange, Some(caller.user.id));
    confirm_password(context, caller, &action, current_password).await?;
    let hashed_password = context.hash(new_password.expose()).await?;
    let work = async {
        let user = reload_unchanged(context, caller).await?;
        users::set_password(context.db, user.id, &hashed_password, context.now).await?;
        // Whoever knew the former password may have asked for a change of the address.
        mail::end_tokens(context.db, user.id).await?;
        context.post_notice(Kind::PasswordChanged, &user).await?;
        match calling_session {
            CallingSession::Keep => {
                let count = sessions::end_all(context.db, user.id, Some(caller.session_id)).await?;
                let details = format!("Password changed, other sessions ended ({count}): {}", user.email);
                action.record(context, details).await?;
                Ok(None)
            }
            CallingSession::Replace => {
                let count = sessions::end_all(context.db, user.id, None).await?;
                let pair = begin_session(context, &user).await?;
                let details = format!("Password changed, sessions ended ({count}), a new one begun: {}", user.email);
                action.record(context, details).await?;
                Ok(Some(pair))
            }
        }
    };
    action.run(context, work).await
}

/// Deletes the caller's account with its sessions. Its audit rows stay.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`], [`Error::LastAdmin`], [`Error::UserReferenced`].
pub async fn delete(context: &AppContext<'_>, caller: &Caller, current_password: &Secret) -> Result<(), Error> {
    let action = caller.action(Action::AccountDelete, Some(caller.user.id));
    confirm_password(context, caller, &action, current_password).await?;
    let work = async {
        let user = reload_unchanged(context, caller).await?;
        removal::delete_account(context.db, &user).await?;
        action.record(context, format!("Account deleted: {}", user.email)).await
    };
    action.run(context, work).await
}

/// Checks the caller's password. Failures count as failed logins: an access token must not be a way around the throttle.
async fn confirm_password(
    context: &AppContext<'_>,
    caller: &Caller,
    action: &AuditedAction,
    password: &Secret,
) -> Result<(), Error> {
    let attempt = context.begin_attempt(&caller.user.email, action).await?;
    let stored = Some(caller.user.hashed_password.as_str());
    if password::verify(password.expose(), stored, context.config.bcrypt_cost).await == Verdict::Wrong {
        action.refuse(context, &Error::WrongPassword).await?;
        return Err(Error::WrongPassword);
    }
    attempt.succeeded(context.db, context.cache).await?;
    Ok(())
}

/// Begins a session of an account and issues its tokens.
async fn begin_session(context: &AppContext<'_>, user: &User) -> Result<TokenPair, Error> {
    let tokens = context.new_tokens();
    let NewTokens { access_jti, refresh_jti, expires_at } = &tokens;
    let session = NewSession { user_id: user.id, access_jti, refresh_jti, expires_at: *expires_at };
    sessions::insert(context.db, session, context.client, context.now).await?;
    let issued = Issued::first(user.email.clone(), tokens, context.now);
    context.sign(user.id, &issued)
}

/// Reads the caller's account again and refuses it if its hash is not the one that was compared. A simultaneous login that
/// renews the hash has this effect, too; the owner must then try again.
async fn reload_unchanged(context: &AppContext<'_>, caller: &Caller) -> Result<User, Error> {
    let user = access::reload(context, caller).await?.user;
    if user.hashed_password == caller.user.hashed_password { Ok(user) } else { Err(Error::WrongPassword) }
}
