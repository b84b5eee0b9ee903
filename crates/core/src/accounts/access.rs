//! Who is asking, and what they may do: asked of the database on every request, so that a logout, a deactivation or a
//! demotion acts on the next one (ASVS 5.0, 7.4.1).

use super::Context;
use super::recorded::Attempt;
use crate::audit::Action;
use crate::error::{Denial, Error};
use crate::token::{Claims, Kind};
use crate::users::{self, User};
use lanterne_database::Connection;

/// Somebody with a valid session.
pub struct Caller {
    /// Their account, as it was when it was last looked at.
    pub user: User,
    /// The session that they ask from.
    pub session_id: i64,
    claims: Claims,
}

/// Finds out who sent an access token.
///
/// # Errors
/// [`Error::Denied`], with the first of its reasons that applies; [`Error::AccountInactive`].
pub async fn authenticate<C: Connection>(context: &Context<'_, C>, token: &str) -> Result<Caller, Error> {
    let claims = context.config.keys.verify(token, Kind::Access, context.now).map_err(Denial::from)?;
    identify(context, claims).await
}

/// Refuses whoever is no administrator. An attempt to change something, which `action` and the `id` of an account tell,
/// has a line in the audit log.
///
/// # Errors
/// [`Error::NotAdmin`]
pub async fn require_admin<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    action: Option<Action>,
    id: Option<i64>,
) -> Result<(), Error> {
    let Err(error) = check_admin(caller) else { return Ok(()) };
    if let Some(action) = action {
        Attempt::by(caller, action, id).record_refusal(context, &error).await?;
    }
    Err(error)
}

fn check_admin(caller: &Caller) -> Result<(), Error> {
    if caller.user.is_admin { Ok(()) } else { Err(Error::NotAdmin) }
}

/// Looks at the caller again: what was true when the request came may not be any more when it has waited for a hash, or
/// for its turn to write. Call it in the transaction that depends on it.
pub(super) async fn again<C: Connection>(context: &Context<'_, C>, caller: &Caller) -> Result<Caller, Error> {
    identify(context, caller.claims.clone()).await
}

/// As [`again`], for what only an administrator may do.
pub(super) async fn admin_again<C: Connection>(context: &Context<'_, C>, caller: &Caller) -> Result<Caller, Error> {
    let caller = again(context, caller).await?;
    check_admin(&caller)?;
    Ok(caller)
}

async fn identify<C: Connection>(context: &Context<'_, C>, claims: Claims) -> Result<Caller, Error> {
    let found = users::find_with_session(context.db, claims.user_id, &claims.jti, context.now).await?;
    let (user, session_id) = found.ok_or(Denial::User)?;
    let session_id = session_id.ok_or(Denial::Session)?;
    if !user.is_active {
        return Err(Error::AccountInactive);
    }
    Ok(Caller { user, session_id, claims })
}
