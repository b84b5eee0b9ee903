//! What people change about their own account. Each asks for the password again: a token that was picked up somewhere
//! must not be enough to take an account over (ASVS 5.0, 7.5.1).

use super::access::{self, Caller};
use super::recorded::{Attempt, recorded};
use super::{Context, hash, remove};
use crate::audit::Action;
use crate::error::Error;
use crate::password::{self, Verdict};
use crate::requests::{ChangeEmailRequest, ChangePasswordRequest, DeleteAccountRequest};
use crate::sessions;
use crate::throttle;
use crate::users::{self, Changes, User};
use crate::validation::Password;
use lanterne_database::Connection;

/// Gives the account another address.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`], [`Error::EmailTaken`].
pub async fn change_email<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    request: ChangeEmailRequest,
) -> Result<User, Error> {
    let attempt = Attempt::by(caller, Action::EmailChange, Some(caller.user.id));
    confirm(context, caller, &attempt, &request.current_password).await?;
    recorded(context, &attempt, async {
        let user = still_the_same(context, caller).await?;
        let changes = Changes { email: Some(request.email.as_str().to_owned()), ..Changes::default() };
        let changed = users::update(context.db, user.id, &changes, context.now).await?.ok_or(Error::EmailTaken)?;
        let details = format!("Email changed: {} to {}", user.email, changed.email);
        Ok((changed, attempt.done(details)))
    })
    .await
}

/// Gives the account another password, and ends all its other sessions.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`].
pub async fn change_password<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    request: ChangePasswordRequest,
) -> Result<(), Error> {
    let attempt = Attempt::by(caller, Action::PasswordChange, Some(caller.user.id));
    confirm(context, caller, &attempt, &request.current_password).await?;
    let hashed_password = hash(context, request.new_password.expose()).await?;
    recorded(context, &attempt, async {
        let user = still_the_same(context, caller).await?;
        users::set_password(context.db, user.id, &hashed_password, context.now).await?;
        let count = sessions::end_all(context.db, user.id, Some(caller.session_id)).await?;
        Ok(((), attempt.done(format!("Password changed, other sessions ended ({count}): {}", user.email))))
    })
    .await
}

/// Deletes the account with its sessions. Its lines in the audit log stay.
///
/// # Errors
/// [`Error::WrongPassword`], [`Error::Throttled`]; [`Error::LastAdmin`] for the only active administrator, without whom
/// there would be no way back.
pub async fn delete<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    request: DeleteAccountRequest,
) -> Result<(), Error> {
    let attempt = Attempt::by(caller, Action::AccountDelete, Some(caller.user.id));
    confirm(context, caller, &attempt, &request.current_password).await?;
    recorded(context, &attempt, async {
        let user = still_the_same(context, caller).await?;
        remove(context, &user).await?;
        Ok(((), attempt.done(format!("Account deleted: {}", user.email))))
    })
    .await
}

/// Refuses whoever does not know the password of the account that they ask from. Wrong ones count as at a login: a token
/// is not to be a way around that.
async fn confirm<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    attempt: &Attempt,
    password: &Password,
) -> Result<(), Error> {
    let counted = match throttle::begin(context, &caller.user.email) {
        Ok(counted) => counted,
        Err(pause) => {
            let error = Error::Throttled(pause.seconds);
            if pause.is_first {
                attempt.record_refusal(context, &error).await?;
            }
            return Err(error);
        }
    };
    let stored = Some(caller.user.hashed_password.as_str());
    match password::verify(password.expose(), stored, context.config.bcrypt_cost).await {
        Verdict::Right | Verdict::RightButOutdated => {
            counted.succeeded();
            Ok(())
        }
        Verdict::Wrong => {
            attempt.record_refusal(context, &Error::WrongPassword).await?;
            Err(Error::WrongPassword)
        }
    }
}

/// The account as it is now, unless it has another hash than the one that was compared. One that a login beside this
/// request has just renewed counts as another, too, and its owner has to try once more.
async fn still_the_same<C: Connection>(context: &Context<'_, C>, caller: &Caller) -> Result<User, Error> {
    let user = access::again(context, caller).await?.user;
    if user.hashed_password == caller.user.hashed_password { Ok(user) } else { Err(Error::WrongPassword) }
}
