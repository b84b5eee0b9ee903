//! Opening a session with a password.

use super::recorded::Attempt;
use super::{Chain, Context, TokenPair, hash, open_session};
use crate::audit::{self, Action, Entry};
use crate::error::Error;
use crate::password::{self, Verdict};
use crate::requests::LoginRequest;
use crate::throttle;
use crate::users::{self, User};
use lanterne_database::{self as db, Connection};

/// Opens a session for the owner of the password.
///
/// # Errors
/// [`Error::Throttled`] after too many failures, whatever the password; [`Error::BadCredentials`] for an unknown address
/// and a wrong password, which look and cost the same; [`Error::AccountInactive`] only after the right password.
pub async fn login<C: Connection>(context: &Context<'_, C>, request: LoginRequest) -> Result<TokenPair, Error> {
    let (email, password) = (request.email.as_str(), request.password.expose());
    let counted = match throttle::begin(context, email) {
        Ok(counted) => counted,
        Err(pause) => return Err(refuse_throttled(context, email, pause).await?),
    };
    let mut outcome = try_login(context, email, password).await;
    if let Ok(Outcome::Overtaken) = outcome {
        // Most likely by a login beside this one that renewed the hash of the same password: see again.
        outcome = try_login(context, email, password).await;
    }
    let (error, user_id) = match outcome {
        Ok(Outcome::Opened(pair)) => {
            counted.succeeded();
            return Ok(pair);
        }
        Ok(Outcome::Refused(error, user_id)) => (error, user_id),
        Ok(Outcome::Overtaken) => (Error::BadCredentials, None),
        Err(error) => {
            counted.broke_off();
            return Err(error);
        }
    };
    let failed = Attempt { action: Action::LoginFailed, user_id, resource_id: None, about: email.to_owned() };
    failed.record_refusal(context, &error).await?;
    Err(error)
}

/// Of a pause one refusal has a line in the audit log, not each of the thousands that a program sends.
async fn refuse_throttled<C: Connection>(
    context: &Context<'_, C>,
    email: &str,
    pause: throttle::Pause,
) -> Result<Error, Error> {
    let error = Error::Throttled(pause.seconds);
    if pause.is_first {
        let user_id = users::find_by_email(context.db, email).await?.map(|user| user.id);
        let details = format!("Refused: Too many attempts, a pause of {} seconds: {email}", pause.seconds);
        let entry = Entry { action: Action::LoginThrottled, user_id, resource_id: None, details };
        audit::record(context.db, entry, context.client, context.now).await?;
    }
    Ok(error)
}

/// How far a login came.
enum Outcome {
    /// To its end.
    Opened(TokenPair),
    /// Not: why, and whose account it was about.
    Refused(Error, Option<i64>),
    /// The account got another password hash while this one was compared with the old.
    Overtaken,
}

async fn try_login<C: Connection>(context: &Context<'_, C>, email: &str, password: &str) -> Result<Outcome, Error> {
    let user = users::find_by_email(context.db, email).await?;
    let stored = user.as_ref().map(|user| user.hashed_password.as_str());
    let verdict = password::verify(password, stored, context.config.bcrypt_cost).await;
    let user_id = user.as_ref().map(|user| user.id);
    let (Some(user), Verdict::Right | Verdict::RightButOutdated) = (user, verdict) else {
        return Ok(Outcome::Refused(Error::BadCredentials, user_id));
    };
    let renewed = match verdict {
        Verdict::RightButOutdated if user.is_active => Some(hash(context, password).await?),
        _ => None,
    };
    db::transaction(context.db, async {
        // Hashing took its time: what counts is the account as it is now.
        let Some(current) = users::find_by_id(context.db, user.id).await? else {
            return Ok(Outcome::Refused(Error::BadCredentials, user_id));
        };
        if current.hashed_password != user.hashed_password {
            return Ok(Outcome::Overtaken);
        }
        if !current.is_active {
            return Ok(Outcome::Refused(Error::AccountInactive, user_id));
        }
        if let Some(hashed_password) = &renewed {
            users::replace_hash(context.db, current.id, hashed_password).await?;
        }
        open(context, &current).await.map(Outcome::Opened)
    })
    .await
}

async fn open<C: Connection>(context: &Context<'_, C>, user: &User) -> Result<TokenPair, Error> {
    let pair = open_session(context, user, Chain { id: None, started_at: context.now }).await?;
    let entry = Entry {
        action: Action::Login,
        user_id: Some(user.id),
        resource_id: None,
        details: format!("User logged in: {}", user.email),
    };
    audit::record(context.db, entry, context.client, context.now).await?;
    Ok(pair)
}
