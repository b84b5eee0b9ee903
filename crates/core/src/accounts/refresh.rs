//! Exchanging a refresh token for a new pair, and detecting stolen tokens.
//!
//! Each refresh token works once (RFC 9700, section 4.14.2). Reuse means that both the owner and a thief hold the token.
//! The server cannot tell who used it first, so it ends the session, and both must log in. Reuse within [`RACE`] is
//! attributed to two tabs of one browser instead.
//!
//! With `refresh_retry_seconds`, the reuse within that time gets the same pair again, until its refresh token is used: the
//! first reply may have been lost.

use std::time::Duration;

use lanterne_database::Timestamp;

use super::audited::AuditedAction;
use super::{AppContext, TokenPair};
use crate::audit::Action;
use crate::error::{Error, RefreshTokenError};
use crate::secret::Secret;
use crate::sessions;
use crate::throttle::{REFRESHES, network_key};
use crate::token::TokenType;
use crate::token_pairs::{self, Exchange, Spent, TokenState};

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
    let AppContext { db, config, client, now, .. } = *context;
    // A failure is not audited: such a token identifies no session, and anyone could fill the log with them.
    let claims = config.keys.verify(token.expose(), TokenType::Refresh, now);
    let claims = claims.map_err(RefreshTokenError::from)?;
    let counter = config.throttle.then(|| network_key(&config.keys, &REFRESHES, client.address.as_deref()));
    let exchange = Exchange {
        user_id: claims.user_id,
        refresh_jti: &claims.jti,
        session_absolute: config.session_absolute,
        counter,
    };
    if let Some(issued) = token_pairs::refresh(db, &exchange, context.new_tokens(), client, now).await? {
        return context.sign(claims.user_id, &issued);
    }
    let action = AuditedAction::new(Action::Refresh, Some(claims.user_id), "");
    context.admit(&REFRESHES, &action).await?;
    let state = token_pairs::find_state(db, &exchange, now).await?;
    // The losers of a race change nothing, so they do not wait for the write lock.
    if let Some(TokenState::Spent(Spent { rotated_at: Some(rotated_at), .. })) = state
        && config.refresh_retry.is_zero()
        && elapsed(rotated_at, now) <= RACE
    {
        return Err(RefreshTokenError::Spent.into());
    }
    match action.run(context, refuse(context, &action, &exchange)).await? {
        Outcome::Issued(pair) => Ok(pair),
        Outcome::Refused(error) => Err(error.into()),
    }
}

/// Refuses a token that could not be exchanged, for the reason that its row tells.
async fn refuse(context: &AppContext<'_>, action: &AuditedAction, exchange: &Exchange<'_>) -> Result<Outcome, Error> {
    let AppContext { db, client, now, .. } = *context;
    match token_pairs::find_state(db, exchange, now).await? {
        Some(TokenState::Expired(id)) => {
            token_pairs::end_expired(db, id).await?;
            record(context, action, RefreshTokenError::SessionExpired).await
        }
        Some(TokenState::AccountInactive) => Err(RefreshTokenError::NoActiveUser.into()),
        Some(TokenState::Spent(spent)) => refuse_spent(context, action, exchange, &spent).await,
        // The account or the pause has changed since.
        Some(TokenState::Valid) => match token_pairs::refresh(db, exchange, context.new_tokens(), client, now).await? {
            Some(issued) => Ok(Outcome::Issued(context.sign(exchange.user_id, &issued)?)),
            None => Ok(Outcome::Refused(RefreshTokenError::Spent)),
        },
        None => record(context, action, RefreshTokenError::Spent).await,
    }
}

/// Refuses a token that was used before, or whose session has ended.
async fn refuse_spent(
    context: &AppContext<'_>,
    action: &AuditedAction,
    exchange: &Exchange<'_>,
    spent: &Spent,
) -> Result<Outcome, Error> {
    let Some(rotated_at) = spent.rotated_at else {
        return record(context, action, RefreshTokenError::Spent).await;
    };
    let elapsed = elapsed(rotated_at, context.now);
    if elapsed < context.config.refresh_retry
        && let Some(issued) = token_pairs::find_successor(context.db, spent, context.now).await?
    {
        if !spent.is_account_active {
            return Err(RefreshTokenError::NoActiveUser.into());
        }
        // No token is stored: the row has all claims of the pair.
        action.record(context, format!("Token refreshed again for user: {}", issued.email)).await?;
        return Ok(Outcome::Issued(context.sign(exchange.user_id, &issued)?));
    }
    if elapsed <= RACE {
        return Ok(Outcome::Refused(RefreshTokenError::Spent));
    }
    let chain_id = spent.chain_id;
    // A session that has already ended needs no protection.
    if !sessions::end(context.db, exchange.user_id, chain_id, context.now).await? {
        return record(context, action, RefreshTokenError::Spent).await;
    }
    let reuse = AuditedAction { action: Action::RefreshReuse, resource_id: Some(chain_id), ..action.clone() };
    reuse.record(context, format!("A used refresh token came back: session {chain_id} is ended")).await?;
    Ok(Outcome::Refused(RefreshTokenError::Spent))
}

/// Writes the audit row of a refusal.
async fn record(context: &AppContext<'_>, action: &AuditedAction, error: RefreshTokenError) -> Result<Outcome, Error> {
    action.refuse(context, &error.into()).await?;
    Ok(Outcome::Refused(error))
}

/// Returns the time since a token was used, in either direction: if the clock was set back, the use seems to be in the future.
fn elapsed(rotated_at: Timestamp, now: Timestamp) -> Duration {
    now.since(rotated_at).max(rotated_at.since(now))
}
