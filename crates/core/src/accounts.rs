//! What people do with accounts: register, log in, refresh. Each is one transaction with its audit row.

use crate::audit::{self, Action, Entry};
use crate::client::Client;
use crate::config::Config;
use crate::db::{self, Connection};
use crate::error::{Error, Refusal};
use crate::password::{self, Verdict};
use crate::requests::{LoginRequest, RefreshRequest, RegisterRequest};
use crate::sessions::{self, NewSession};
use crate::timestamp::Timestamp;
use crate::token::Kind;
use crate::users::{self, NewUser, User};

/// What every action needs beside its input.
pub struct Context<'a, C> {
    /// A connection that no other request uses meanwhile.
    pub db: &'a C,
    /// The server's configuration.
    pub config: &'a Config,
    /// Who is asking.
    pub client: &'a Client,
    /// When the request came.
    pub now: Timestamp,
}

/// What a login or a refresh buys.
pub struct TokenPair {
    /// Opens protected routes.
    pub access_token: String,
    /// Buys the next pair, once.
    pub refresh_token: String,
}

/// Makes an account that is active and no administrator.
///
/// # Errors
/// [`Error::EmailTaken`], also for all but one of several that ask for the same address at once.
pub async fn register<C: Connection>(context: &Context<'_, C>, request: RegisterRequest) -> Result<User, Error> {
    let email = request.email.as_str();
    if users::find_by_email(context.db, email).await?.is_some() {
        return Err(Error::EmailTaken);
    }
    let hashed_password = hash(context, request.password.expose()).await?;
    db::transaction(context.db, async {
        let new_user = NewUser { email, hashed_password: &hashed_password, is_admin: false };
        let user = users::insert(context.db, new_user, context.now).await?.ok_or(Error::EmailTaken)?;
        let entry = Entry {
            action: Action::Register,
            user_id: Some(user.id),
            resource_id: Some(user.id.to_string()),
            details: format!("User registered: {email}"),
        };
        audit::record(context.db, entry, context.client, context.now).await?;
        Ok(user)
    })
    .await
}

/// Opens a session for the owner of the password.
///
/// # Errors
/// [`Error::BadCredentials`] for an unknown address and a wrong password, which look and cost the same;
/// [`Error::AccountInactive`] only after the right password.
pub async fn login<C: Connection>(context: &Context<'_, C>, request: LoginRequest) -> Result<TokenPair, Error> {
    let (email, password) = (request.email.as_str(), request.password.expose());
    let mut attempt = try_login(context, email, password).await?;
    if let Attempt::Overtaken = attempt {
        // Most likely by a login beside this one that renewed the hash of the same password: see again.
        attempt = try_login(context, email, password).await?;
    }
    let (error, user_id) = match attempt {
        Attempt::Opened(pair) => return Ok(pair),
        Attempt::Refused(error, user_id) => (error, user_id),
        Attempt::Overtaken => (Error::BadCredentials, None),
    };
    let details = format!("Login failed: {email}");
    let entry = Entry { action: Action::LoginFailed, user_id, resource_id: None, details };
    audit::record(context.db, entry, context.client, context.now).await?;
    Err(error)
}

/// How far a login came.
enum Attempt {
    /// To its end.
    Opened(TokenPair),
    /// Not: why, and whose account it was about.
    Refused(Error, Option<i64>),
    /// The account got another password hash while this one was compared with the old.
    Overtaken,
}

async fn try_login<C: Connection>(context: &Context<'_, C>, email: &str, password: &str) -> Result<Attempt, Error> {
    let user = users::find_by_email(context.db, email).await?;
    let stored = user.as_ref().map(|user| user.hashed_password.as_str());
    let verdict = password::verify(password, stored, context.config.bcrypt_cost).await;
    let user_id = user.as_ref().map(|user| user.id);
    let (Some(user), Verdict::Right | Verdict::RightButOutdated) = (user, verdict) else {
        return Ok(Attempt::Refused(Error::BadCredentials, user_id));
    };
    let renewed = match verdict {
        Verdict::RightButOutdated if user.is_active => Some(hash(context, password).await?),
        _ => None,
    };
    db::transaction(context.db, async {
        // Hashing took its time: what counts is the account as it is now.
        let Some(current) = users::find_by_id(context.db, user.id).await? else {
            return Ok(Attempt::Refused(Error::BadCredentials, user_id));
        };
        if current.hashed_password != user.hashed_password {
            return Ok(Attempt::Overtaken);
        }
        if !current.is_active {
            return Ok(Attempt::Refused(Error::AccountInactive, user_id));
        }
        if let Some(hashed_password) = &renewed {
            users::replace_hash(context.db, current.id, hashed_password).await?;
        }
        let details = format!("User logged in: {}", current.email);
        open_session(context, &current, Action::Login, details).await.map(Attempt::Opened)
    })
    .await
}

/// Exchanges a refresh token for a new pair; the token is used up by it.
///
/// # Errors
/// [`Error::RefreshRefused`], with the first of its reasons that applies.
pub async fn refresh<C: Connection>(context: &Context<'_, C>, request: RefreshRequest) -> Result<TokenPair, Error> {
    let token = request.refresh_token.expose();
    let claims = context.config.keys.verify(token, Kind::Refresh, context.now).map_err(Refusal::from)?;
    let outcome = db::transaction(context.db, async {
        let expires_at = sessions::take(context.db, claims.user_id, &claims.jti).await?;
        let expires_at = expires_at.ok_or(Refusal::Session)?;
        if expires_at < context.now {
            // Not an `Err`: that the session is over is to be kept.
            return Ok(Err(Refusal::Expired));
        }
        let user = users::find_by_id(context.db, claims.user_id).await?;
        let user = user.filter(|user| user.is_active).ok_or(Refusal::User)?;
        let details = format!("Token refreshed: {}", user.email);
        open_session(context, &user, Action::Refresh, details).await.map(Ok)
    })
    .await?;
    outcome.map_err(Error::from)
}

/// Signs a pair of tokens, keeps their session and writes the audit row. Call it in a transaction.
async fn open_session<C: Connection>(
    context: &Context<'_, C>,
    user: &User,
    action: Action,
    details: String,
) -> Result<TokenPair, Error> {
    let Context { db, config, client, now } = *context;
    let (access_token, access_jti) = config.keys.access(user.id, &user.email, now, config.access_ttl)?;
    let (refresh_token, refresh_jti) = config.keys.refresh(user.id, now, config.refresh_ttl)?;
    let session = NewSession {
        user_id: user.id,
        access_jti: &access_jti,
        refresh_jti: &refresh_jti,
        expires_at: now.after(config.refresh_ttl),
    };
    sessions::insert(db, session, now).await?;
    let entry = Entry { action, user_id: Some(user.id), resource_id: None, details };
    audit::record(db, entry, client, now).await?;
    Ok(TokenPair { access_token, refresh_token })
}

async fn hash<C>(context: &Context<'_, C>, password: &str) -> Result<String, Error> {
    let hashed = password::hash(password, context.config.bcrypt_cost).await;
    hashed.map_err(|error| Error::Internal(anyhow::anyhow!("no randomness for a salt: {error}")))
}
