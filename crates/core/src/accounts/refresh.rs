//! Trading a refresh token for a new pair, and noticing one that was stolen.
//!
//! Each token works once (RFC 9700, section 4.14.2). If it comes back, two have it: its owner and a thief, and nobody knows
//! which of them came first. So the whole session ends, and both have to show the password. Within some seconds it is
//! rather two tabs of one browser, which must not cost a login.

use std::time::Duration;

use super::{Chain, Context, TokenPair, open_session};
use crate::audit::{self, Action, Entry};
use crate::error::{Error, Refusal};
use crate::requests::RefreshRequest;
use crate::sessions::{self, Taken};
use crate::token::{Claims, Kind};
use crate::users;
use lanterne_database::{self as db, Connection};

/// So long after its use a refresh token that comes back is taken for a race, and not for a theft.
const RACE: Duration = Duration::from_secs(10);

/// Exchanges a refresh token for a new pair; the token is used up by it.
///
/// # Errors
/// [`Error::RefreshRefused`], with the first of its reasons that applies.
pub async fn refresh<C: Connection>(context: &Context<'_, C>, request: RefreshRequest) -> Result<TokenPair, Error> {
    let token = request.refresh_token.expose();
    // A token that is refused for its signature, time or type has no line in the audit log: it says nothing about any
    // session, and can be sent without end.
    let claims = context.config.keys.verify(token, Kind::Refresh, context.now).map_err(Refusal::from)?;
    let oldest_start = context.now.before(context.config.session_absolute);
    let outcome = db::transaction(context.db, async {
        match sessions::take(context.db, claims.user_id, &claims.jti, oldest_start, context.now).await? {
            // Refusals that change something are no `Err`: that would undo it.
            Some(taken) => rotate(context, &claims, taken).await,
            None => refuse_spent(context, &claims).await.map(Err),
        }
    })
    .await;
    if let Err(Error::RefreshRefused(refusal)) = &outcome {
        record_refusal(context, &claims, *refusal).await?;
    }
    outcome?.map_err(Error::from)
}

async fn rotate<C: Connection>(
    context: &Context<'_, C>,
    claims: &Claims,
    taken: Taken,
) -> Result<Result<TokenPair, Refusal>, Error> {
    if taken.is_over {
        record_refusal(context, claims, Refusal::Expired).await?;
        return Ok(Err(Refusal::Expired));
    }
    let user = users::find_by_id(context.db, claims.user_id).await?;
    let user = user.filter(|user| user.is_active).ok_or(Refusal::User)?;
    let chain = Chain { id: Some(taken.chain_id), started_at: taken.started_at };
    let pair = open_session(context, &user, chain).await?;
    let entry = Entry {
        action: Action::Refresh,
        user_id: Some(user.id),
        resource_id: None,
        details: format!("Token refreshed: {}", user.email),
    };
    audit::record(context.db, entry, context.client, context.now).await?;
    Ok(Ok(pair))
}

/// A refresh token that buys nothing: used before, or its session was ended.
async fn refuse_spent<C: Connection>(context: &Context<'_, C>, claims: &Claims) -> Result<Refusal, Error> {
    let spent = sessions::find_spent(context.db, claims.user_id, &claims.jti).await?;
    let rotated = spent.and_then(|spent| Some((spent.chain_id, spent.rotated_at?)));
    if rotated.is_some_and(|(_, rotated_at)| context.now.since(rotated_at) <= RACE) {
        return Ok(Refusal::Session);
    }
    // Of a session that is over there is nothing left to steal.
    if let Some((chain_id, _)) = rotated
        && sessions::end(context.db, claims.user_id, chain_id, context.now).await?
    {
        let entry = Entry {
            action: Action::RefreshReuse,
            user_id: Some(claims.user_id),
            resource_id: Some(chain_id),
            details: format!("A used refresh token came back: session {chain_id} is ended"),
        };
        audit::record(context.db, entry, context.client, context.now).await?;
    } else {
        record_refusal(context, claims, Refusal::Session).await?;
    }
    Ok(Refusal::Session)
}

async fn record_refusal<C: Connection>(
    context: &Context<'_, C>,
    claims: &Claims,
    refusal: Refusal,
) -> Result<(), Error> {
    let entry = Entry {
        action: Action::Refresh,
        user_id: Some(claims.user_id),
        resource_id: None,
        details: format!("Refused: {refusal}"),
    };
    audit::record(context.db, entry, context.client, context.now).await?;
    Ok(())
}
