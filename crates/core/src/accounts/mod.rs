//! What people do with accounts, one module a kind of thing: [`registration`] and [`login`], [`refresh`] and
//! [`own_sessions`], [`profile`], and [`administration`]. Who is asking is found out in [`access`].
//!
//! Each is one transaction with its audit row, and a refusal has a row of its own: see [`recorded`].

pub mod access;

pub mod administration;
pub mod login;
pub mod own_sessions;
pub mod profile;
pub mod refresh;
pub mod registration;

mod recorded;

use crate::client::Client;
use crate::config::Config;
use crate::error::Error;
use crate::password;
use crate::sessions::{self, NewSession};
use crate::throttle::Memory;
use crate::users::{self, User};
use lanterne_database::Connection;
use lanterne_database::Timestamp;

/// What every action needs beside its input.
pub struct Context<'a, C> {
    /// A connection that no other request uses meanwhile.
    pub db: &'a C,
    /// Where failed logins are counted.
    pub memory: &'a dyn Memory,
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

/// The session that a new pair of tokens belongs to.
struct Chain {
    /// Its id; `None`: it begins now.
    id: Option<i64>,
    /// When it began.
    started_at: Timestamp,
}

/// Signs a pair of tokens, neither of which outlasts the session, and keeps their row. Call it in a transaction.
async fn open_session<C: Connection>(context: &Context<'_, C>, user: &User, chain: Chain) -> Result<TokenPair, Error> {
    let Context { db, config, client, now, .. } = *context;
    let end = chain.started_at.after(config.session_absolute);
    let refresh_end = now.after(config.refresh_ttl).min(end);
    let access = config.keys.access(user.id, &user.email, now, now.after(config.access_ttl).min(end))?;
    let refresh = config.keys.refresh(user.id, now, refresh_end)?;
    let session = NewSession {
        user_id: user.id,
        chain_id: chain.id,
        started_at: chain.started_at,
        access_jti: &access.jti,
        refresh_jti: &refresh.jti,
        expires_at: refresh_end,
    };
    sessions::insert(db, session, client, now).await?;
    Ok(TokenPair { access_token: access.token, refresh_token: refresh.token })
}

async fn hash<C>(context: &Context<'_, C>, password: &str) -> Result<String, Error> {
    let hashed = password::hash(password, context.config.bcrypt_cost).await;
    hashed.map_err(|error| Error::Internal(anyhow::anyhow!("no randomness for a salt: {error}")))
}

/// Deletes an account with its sessions, unless it is the last that could administer. Call it in a transaction.
async fn remove<C: Connection>(context: &Context<'_, C>, user: &User) -> Result<(), Error> {
    keep_an_admin(context, user).await?;
    sessions::delete_all(context.db, user.id).await?;
    users::delete(context.db, user.id).await?;
    Ok(())
}

/// Refuses to go on if `user` is the last who could administer. Two who would take each other's rights at once do it one
/// after the other: transactions that write never overlap.
async fn keep_an_admin<C: Connection>(context: &Context<'_, C>, user: &User) -> Result<(), Error> {
    let counts = user.is_admin && user.is_active;
    if counts && !users::has_other_active_admin(context.db, user.id).await? {
        return Err(Error::LastAdmin);
    }
    Ok(())
}
