//! Ending sessions, and seeing which there are.

use super::Context;
use super::access::{Caller, again};
use super::recorded::{Attempt, recorded};
use crate::audit::Action;
use crate::error::Error;
use crate::sessions::{self, Session};
use lanterne_database::Connection;

/// Ends the session that the request came from.
///
/// # Errors
/// [`Error::Denied`] if another request has ended it in this moment.
pub async fn logout<C: Connection>(context: &Context<'_, C>, caller: &Caller) -> Result<(), Error> {
    let attempt = Attempt::by(caller, Action::Logout, Some(caller.session_id));
    recorded(context, &attempt, async {
        again(context, caller).await?;
        sessions::end(context.db, caller.user.id, caller.session_id, context.now).await?;
        Ok(((), attempt.done(format!("User logged out: {}", caller.user.email))))
    })
    .await
}

/// Ends all sessions of the caller, with the one that the request came from.
///
/// # Errors
/// [`Error::Denied`] if that one was ended in this moment, perhaps because its token was stolen: it may end no others.
pub async fn logout_all<C: Connection>(context: &Context<'_, C>, caller: &Caller) -> Result<(), Error> {
    let attempt = Attempt::by(caller, Action::LogoutAll, None);
    recorded(context, &attempt, async {
        again(context, caller).await?;
        let count = sessions::end_all(context.db, caller.user.id, None).await?;
        Ok(((), attempt.done(format!("User logged out everywhere (sessions: {count}): {}", caller.user.email))))
    })
    .await
}

/// The sessions of the caller that are valid, the newest first.
///
/// # Errors
/// None of the domain.
pub async fn list<C: Connection>(context: &Context<'_, C>, caller: &Caller) -> Result<Vec<Session>, Error> {
    Ok(sessions::list(context.db, caller.user.id, context.now).await?)
}

/// Ends one session of the caller, perhaps the one that the request came from.
///
/// # Errors
/// [`Error::NoSession`], whether there is none of this id or it is somebody else's.
pub async fn revoke<C: Connection>(context: &Context<'_, C>, caller: &Caller, session_id: i64) -> Result<(), Error> {
    let attempt = Attempt::by(caller, Action::SessionRevoke, Some(session_id));
    recorded(context, &attempt, async {
        again(context, caller).await?;
        if !sessions::end(context.db, caller.user.id, session_id, context.now).await? {
            return Err(Error::NoSession);
        }
        Ok(((), attempt.done(format!("Session {session_id} ended: {}", caller.user.email))))
    })
    .await
}
