//! Registering an account and changing one's own. Changes ask for the password again: a stolen access token must not be
//! enough to take an account over (ASVS 5.0, 7.5.1).

use super::access::{self, Caller};
use super::audited::AuditedAction;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::email::Email;
use crate::error::Error;
use crate::password::{self, Verdict};
use crate::secret::{NewPassword, Secret};
use crate::sessions;
use crate::throttle::REGISTRATIONS;
use crate::users::{self, Changes, NewUser, User};

/// Creates an active account without administrator's rights.
///
/// # Errors
/// [`Error::Throttled`] after too many registrations from one network. [`Error::EmailTaken`], also for all but one of
/// simultaneous registrations of one address.
pub async fn register(context: &AppContext<'_>, email: &Email, password: &NewPassword) -> Result<User, Error> {
    let email = email.as_str();
    let action = AuditedAction::new(Action::Register, None, email);
    context.admit(&REGISTRATIONS, &action).await?;
    if users::find_by_email(context.db, email).await?.is_some() {
        action.refuse(context, &Error::EmailTaken).await?;
        return Err(Error::EmailTaken);
    }
    let hashed_password = context.hash(password.expose()).await?;
    let new_user = NewUser { email, hashed_password: &hashed_password, is_active: true, is_admin: false };
    let work = async {
        let user = users::insert(context.db, new_user, context.now).await?.ok_or(Error::EmailTaken)?;
        let action = AuditedAction { user_id: Some(user.id), resource_id: Some(user.id), ..action.clone() };
        action.record(context, format!("User registered: {email}")).await?;
        Ok(user)
    };
    action.run(context, work).await
}

/// Changes the caller's address.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`], [`Error::EmailTaken`].
pub async fn change_email(
    context: &AppContext<'_>,
    caller: &Caller,
    current_password: &Secret,
    email: &Email,
) -> Result<User, Error> {
    let action = caller.action(Action::EmailChange, Some(caller.user.id));
    confirm_password(context, caller, &action, current_password).await?;
    let work = async {
        let user = reload_unchanged(context, caller).await?;
        let changes = Changes { email: Some(email.clone()), ..Changes::default() };
        let changed = users::update(context.db, user.id, &changes, context.now).await?.ok_or(Error::EmailTaken)?;
        action.record(context, format!("Email changed: {} to {}", user.email, changed.email)).await?;
        Ok(changed)
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
/// [`Error::WrongPassword`], [`Error::Throttled`].
pub async fn change_password(
    context: &AppContext<'_>,
    caller: &Caller,
    current_password: &Secret,
    new_password: &NewPassword,
    calling_session: CallingSession,
) -> Result<Option<TokenPair>, Error> {
    let action = caller.action(Action::PasswordChange, Some(caller.user.id));
    confirm_password(context, caller, &action, current_password).await?;
    let hashed_password = context.hash(new_password.expose()).await?;
    let work = async {
        let user = reload_unchanged(context, caller).await?;
        users::set_password(context.db, user.id, &hashed_password, context.now).await?;
        match calling_session {
            CallingSession::Keep => {
                let count = sessions::end_all(context.db, user.id, Some(caller.session_id)).await?;
                let details = format!("Password changed, other sessions ended ({count}): {}", user.email);
                action.record(context, details).await?;
                Ok(None)
            }
            CallingSession::Replace => {
                let count = sessions::end_all(context.db, user.id, None).await?;
                let pair = context.issue_tokens(&user, None, context.now).await?;
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
        context.delete_account(&user).await?;
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
    attempt.succeeded();
    Ok(())
}

/// Reads the caller's account again and refuses it if its hash is not the one that was compared. A simultaneous login that
/// renews the hash has this effect, too; the owner must then try again.
async fn reload_unchanged(context: &AppContext<'_>, caller: &Caller) -> Result<User, Error> {
    let user = access::reload(context, caller).await?.user;
    if user.hashed_password == caller.user.hashed_password { Ok(user) } else { Err(Error::WrongPassword) }
}
