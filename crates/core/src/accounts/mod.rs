//! The actions on accounts. Each runs in one transaction together with its audit row; a refusal is audited in a row of its
//! own ([`audited`]).

pub mod access;
pub mod administration;
pub mod login;
pub mod own_sessions;
pub mod profile;
pub mod refresh;

mod audited;

use lanterne_database::{Connection, Timestamp};

use self::audited::AuditedAction;
use crate::client::Client;
use crate::config::Config;
use crate::error::Error;
use crate::password;
use crate::sessions::{self, NewSession};
use crate::throttle::{self, Attempt, AttemptLimit, CounterStore};
use crate::users::{self, User};

/// What every action needs besides its input.
pub struct AppContext<'a> {
    /// A connection that no other request uses.
    pub db: &'a dyn Connection,
    /// The store of the throttle.
    pub counters: &'a dyn CounterStore,
    /// The server's configuration.
    pub config: &'a Config,
    /// The client behind the request.
    pub client: &'a Client,
    /// When the request arrived.
    pub now: Timestamp,
}

/// The tokens of a login or a refresh.
pub struct TokenPair {
    /// Authorizes requests.
    pub access_token: String,
    /// Can be exchanged for the next pair, once.
    pub refresh_token: String,
}

impl<'a> AppContext<'a> {
    /// Counts a password check at the account with this normalized address. The first refusal of a pause is audited as
    /// `action`.
    ///
    /// # Errors
    /// [`Error::Throttled`]
    async fn begin_attempt(&self, email: &str, action: &AuditedAction) -> Result<Attempt<'a>, Error> {
        if !self.config.throttle {
            return Ok(Attempt::uncounted());
        }
        let address = self.client.address.as_deref();
        match Attempt::begin(self.counters, &self.config.keys, email, address, self.now) {
            Ok(attempt) => Ok(attempt),
            Err(pause) => {
                let error = Error::Throttled(pause.seconds);
                if pause.is_first_refusal {
                    let user_id = match action.user_id {
                        None => users::find_by_email(self.db, email).await?.map(|user| user.id),
                        known => known,
                    };
                    AuditedAction { user_id, ..action.clone() }.refuse(self, &error).await?;
                }
                Err(error)
            }
        }
    }

    /// Counts a request against the limit of the client's network. The first refusal of a window is audited as `action`.
    ///
    /// # Errors
    /// [`Error::Throttled`]
    async fn admit(&self, limit: &AttemptLimit, action: &AuditedAction) -> Result<(), Error> {
        let Self { counters, config, client, now, .. } = *self;
        if !config.throttle {
            return Ok(());
        }
        let admitted = throttle::admit(counters, &config.keys, limit, client.address.as_deref(), now);
        let Err(pause) = admitted else { return Ok(()) };
        let error = Error::Throttled(pause.seconds);
        if pause.is_first_refusal {
            action.refuse(self, &error).await?;
        }
        Err(error)
    }

    /// Hashes a password to store.
    async fn hash(&self, password: &str) -> Result<String, Error> {
        let hash = password::hash(password, self.config.bcrypt_cost).await;
        hash.map_err(|error| Error::Internal(anyhow::anyhow!("no randomness for a salt: {error}")))
    }

    /// Signs a pair of tokens, neither of which outlives the session, and inserts their row. `chain_id` is that of the
    /// session to continue, `None` for a new one.
    async fn issue_tokens(
        &self,
        user: &User,
        chain_id: Option<i64>,
        started_at: Timestamp,
    ) -> Result<TokenPair, Error> {
        let Self { db, config, client, now, .. } = *self;
        let session_end = started_at.after(config.session_absolute);
        let refresh_end = now.after(config.refresh_ttl).min(session_end);
        let access = config.keys.access(user.id, &user.email, now, now.after(config.access_ttl).min(session_end))?;
        let refresh = config.keys.refresh(user.id, now, refresh_end)?;
        let session = NewSession {
            user_id: user.id,
            chain_id,
            started_at,
            access_jti: &access.jti,
            refresh_jti: &refresh.jti,
            expires_at: refresh_end,
        };
        sessions::insert(db, session, client, now).await?;
        Ok(TokenPair { access_token: access.token, refresh_token: refresh.token })
    }

    /// Deletes an account with its sessions, unless it is the last active administrator or other rows refer to it.
    async fn delete_account(&self, user: &User) -> Result<(), Error> {
        self.keep_an_administrator(user).await?;
        sessions::delete_all(self.db, user.id).await?;
        users::delete(self.db, user.id)
            .await
            .map_err(|error| if error.is_foreign_key_violation() { Error::UserReferenced } else { error.into() })
    }

    /// Fails if `user` is the last active administrator. Call it in the transaction of the change: writing transactions
    /// never overlap, so two administrators cannot remove each other.
    async fn keep_an_administrator(&self, user: &User) -> Result<(), Error> {
        let is_one = user.is_admin && user.is_active;
        if is_one && !users::has_other_active_admin(self.db, user.id).await? {
            return Err(Error::LastAdmin);
        }
        Ok(())
    }
}
