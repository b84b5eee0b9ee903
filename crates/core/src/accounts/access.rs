//! Authentication and authorization. Session, account and rights are read on every request, so that a logout, a
//! deactivation or a demotion acts on the next one (ASVS 5.0, 7.4.1).

use super::AppContext;
use super::audited::AuditedAction;
use crate::audit::Action;
use crate::error::{AccessTokenError, Error};
use crate::token::{Claims, TokenType};
use crate::users::{self, User};

/// An authenticated account.
pub struct Caller {
    /// The account, as it was when last read.
    pub user: User,
    /// The id of the calling session.
    pub session_id: i64,
    claims: Claims,
}

impl Caller {
    /// Returns the event of this caller acting on the resource with this id.
    pub(super) fn action(&self, action: Action, resource_id: Option<i64>) -> AuditedAction {
        AuditedAction { action, user_id: Some(self.user.id), resource_id, subject: self.user.email.clone() }
    }
}

/// Authenticates the bearer of an access token.
///
/// # Errors
/// [`Error::AccessToken`], [`Error::AccountInactive`].
pub async fn authenticate(context: &AppContext<'_>, token: &str) -> Result<Caller, Error> {
    let claims = context.config.keys.verify(token, TokenType::Access, context.now).map_err(AccessTokenError::from)?;
    load(context, claims).await
}

/// Refuses a caller who is not an administrator. The refusal of an `action` on the account `id` is audited.
///
/// # Errors
/// [`Error::AdminRequired`]
pub async fn require_admin(
    context: &AppContext<'_>,
    caller: &Caller,
    action: Option<Action>,
    id: Option<i64>,
) -> Result<(), Error> {
    let Err(error) = check_admin(caller) else { return Ok(()) };
    if let Some(action) = action {
        caller.action(action, id).refuse(context, &error).await?;
    }
    Err(error)
}

/// Reads the caller again: session, account and rights may have changed while the request waited for a hash or for the
/// write lock. Call it in the transaction that depends on them.
pub(super) async fn reload(context: &AppContext<'_>, caller: &Caller) -> Result<Caller, Error> {
    load(context, caller.claims.clone()).await
}

/// Does what [`reload`] does, and refuses a caller who is no longer an administrator.
pub(super) async fn reload_admin(context: &AppContext<'_>, caller: &Caller) -> Result<Caller, Error> {
    let caller = reload(context, caller).await?;
    check_admin(&caller)?;
    Ok(caller)
}

async fn load(context: &AppContext<'_>, claims: Claims) -> Result<Caller, Error> {
    let found = users::find_with_session(context.db, claims.user_id, &claims.jti, context.now).await?;
    let (user, session_id) = found.ok_or(AccessTokenError::UserNotFound)?;
    let session_id = session_id.ok_or(AccessTokenError::SessionEnded)?;
    if !user.is_active {
        return Err(Error::AccountInactive);
    }
    Ok(Caller { user, session_id, claims })
}

fn check_admin(caller: &Caller) -> Result<(), Error> {
    if caller.user.is_admin { Ok(()) } else { Err(Error::AdminRequired) }
}
