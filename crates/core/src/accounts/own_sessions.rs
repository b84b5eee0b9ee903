//! Listing and ending one's own sessions.

use super::AppContext;
use super::access::{Caller, reload};
use crate::audit::Action;
use crate::error::Error;
use crate::sessions::{self, Session};

/// Ends the calling session.
///
/// # Errors
/// [`Error::AccessToken`] if another request has just ended it.
pub async fn logout(context: &AppContext<'_>, caller: &Caller) -> Result<(), Error> {
    let action = caller.action(Action::Logout, Some(caller.session_id));
    let work = async {
        reload(context, caller).await?;
        sessions::end(context.db, caller.user.id, caller.session_id, context.now).await?;
        action.record(context, format!("User logged out: {}", caller.user.email)).await
    };
    action.run(context, work).await
}

/// Ends all sessions of the caller.
///
/// # Errors
/// [`Error::AccessToken`] if another request has just ended the calling session.
pub async fn logout_all(context: &AppContext<'_>, caller: &Caller) -> Result<(), Error> {
    let action = caller.action(Action::LogoutAll, None);
    let work = async {
        reload(context, caller).await?;
        let count = sessions::end_all(context.db, caller.user.id, None).await?;
        action.record(context, format!("User logged out everywhere (sessions: {count}): {}", caller.user.email)).await
    };
    action.run(context, work).await
}

/// Lists the valid sessions of the caller, latest login first.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn list(context: &AppContext<'_>, caller: &Caller) -> Result<Vec<Session>, Error> {
    Ok(sessions::list(context.db, caller.user.id, context.now).await?)
}

/// Ends one session of the caller, which may be the calling one.
///
/// # Errors
/// [`Error::SessionNotFound`], also for a session of another account.
pub async fn revoke(context: &AppContext<'_>, caller: &Caller, session_id: i64) -> Result<(), Error> {
    let action = caller.action(Action::SessionRevoke, Some(session_id));
    let work = async {
        reload(context, caller).await?;
        if !sessions::end(context.db, caller.user.id, session_id, context.now).await? {
            return Err(Error::SessionNotFound);
        }
        action.record(context, format!("Session {session_id} ended: {}", caller.user.email)).await
    };
    action.run(context, work).await
}
