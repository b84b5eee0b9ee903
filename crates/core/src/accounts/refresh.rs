//! Exchanging a refresh token for a new pair, and detecting stolen tokens.
//!
//! Each refresh token works once (RFC 9700, section 4.14.2). Reuse means that both the owner and a thief hold the token.
//! The server cannot tell who used it first, so it ends the session, and both must log in. Reuse within [`RACE`] is
//! attributed to two tabs of one browser instead.
//!
//! With `refresh_retry_seconds`, the reuse within that time gets the same pair again, until its refresh token is used: the first
//! reply may have been lost.

use std::time::Duration;

use super::audited::AuditedAction;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::error::{Error, RefreshTokenError};
use crate::secret::Secret;
use crate::sessions::{self, Rotated, Spent};
use crate::throttle::REFRESHES;
use crate::token::{Claims, TokenType};
use crate::users;

/// How long after its use the reuse of a refresh token is not treated as theft.
pub const RACE: Duration = Duration::from_secs(10);

/// The outcome of a committed exchange: some refusals end a session, and must not be rolled back.
enum Outcome {
    Issued(TokenPair),
    Refused(RefreshTokenError),
}

/// Exchanges a refresh token for a new pair and invalidates it.
///
/// # Errors
/// [`Error::RefreshToken`]. [`Error::Throttled`] after too many refreshes from one network.
pub async fn refresh(context: &AppContext<'_>, token: &Secret) -> Result<TokenPair, Error> {
    // A failure is not audited: such a token identifies no session, and anyone could fill the log with them.
    let claims = context.config.keys.verify(token.expose(), TokenType::Refresh, context.now);
    let claims = claims.map_err(RefreshTokenError::from)?;
    let action = AuditedAction::new(Action::Refresh, Some(claims.user_id), "");
    context.admit(&REFRESHES, &action).await?;
    let oldest_start = context.now.before(context.config.session_absolute);
    let outcome = action.run(context, async {
        match sessions::rotate(context.db, claims.user_id, &claims.jti, oldest_start, context.now).await? {
            Some(row) if row.is_expired => refuse(context, &action, RefreshTokenError::SessionExpired).await,
            Some(row) => issue(context, &action, &claims, row).await,
            None => refuse_spent(context, &action, &claims).await,
        }
    });
    match outcome.await? {
        Outcome::Issued(pair) => Ok(pair),
        Outcome::Refused(error) => Err(error.into()),
    }
}

async fn issue(
    context: &AppContext<'_>,
    action: &AuditedAction,
    claims: &Claims,
    row: Rotated,
) -> Result<Outcome, Error> {
    let user = users::find_by_id(context.db, claims.user_id).await?;
    let user = user.filter(|user| user.is_active).ok_or(RefreshTokenError::NoActiveUser)?;
    let pair = context.issue_tokens(&user, Some(row.chain_id), row.started_at).await?;
    action.record(context, format!("Token refreshed for user: {}", user.email)).await?;
    Ok(Outcome::Issued(pair))
}

/// Refuses a token that was used before, or whose session has ended.
async fn refuse_spent(context: &AppContext<'_>, action: &AuditedAction, claims: &Claims) -> Result<Outcome, Error> {
    let spent = sessions::find_spent(context.db, claims.user_id, &claims.jti).await?;
    let Some((spent, rotated_at)) = spent.and_then(|spent| spent.rotated_at.map(|at| (spent, at))) else {
        return refuse(context, action, RefreshTokenError::Spent).await;
    };
    // In either direction: if the clock was set back, the use seems to be in the future.
    let elapsed = context.now.since(rotated_at).max(rotated_at.since(context.now));
    if elapsed < context.config.refresh_retry
        && let Some(pair) = repeat(context, action, claims, &spent).await?
    {
        return Ok(Outcome::Issued(pair));
    }
    if elapsed <= RACE {
        return Ok(Outcome::Refused(RefreshTokenError::Spent));
    }
    let chain_id = spent.chain_id;
    // A session that has already ended needs no protection.
    if !sessions::end(context.db, claims.user_id, chain_id, context.now).await? {
        return refuse(context, action, RefreshTokenError::Spent).await;
    }
    let reuse = AuditedAction { action: Action::RefreshReuse, resource_id: Some(chain_id), ..action.clone() };
    reuse.record(context, format!("A used refresh token came back: session {chain_id} is ended")).await?;
    Ok(Outcome::Refused(RefreshTokenError::Spent))
}

/// Signs the pair again that the token was exchanged for; `None` if its refresh token was used, or the session has ended. No
/// token is stored: the row has all claims.
async fn repeat(
    context: &AppContext<'_>,
    action: &AuditedAction,
    claims: &Claims,
    spent: &Spent,
) -> Result<Option<TokenPair>, Error> {
    let Some(successor) = sessions::find_successor(context.db, spent, context.now).await? else { return Ok(None) };
    let user = users::find_by_id(context.db, claims.user_id).await?;
    let user = user.filter(|user| user.is_active).ok_or(RefreshTokenError::NoActiveUser)?;
    action.record(context, format!("Token refreshed again for user: {}", user.email)).await?;
    context.sign(&user, &successor).map(Some)
}

async fn refuse(context: &AppContext<'_>, action: &AuditedAction, error: RefreshTokenError) -> Result<Outcome, Error> {
    action.refuse(context, &error.into()).await?;
    Ok(Outcome::Refused(error))
}
