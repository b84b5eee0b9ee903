//! The actions on accounts. Each runs in one transaction together with its audit row; a refusal is audited in a row of its
//! own ([`audited`]).

pub mod access;
pub mod administration;
pub mod login;
pub mod own_sessions;
pub mod profile;
pub mod recovery;
pub mod refresh;

mod audited;

use std::cell::Cell;

use lanterne_database::{Connection, Timestamp};

use self::audited::AuditedAction;
use crate::client::Client;
use crate::config::Config;
use crate::error::Error;
use crate::outbox::Kind;
use crate::secret::NewPassword;
use crate::throttle::{self, Attempt, AttemptLimit, Cache};
use crate::token::new_jti;
use crate::token_pairs::{Issued, NewTokens};
use crate::users::{self, User};
use crate::{blocklist, mail, password};

/// What every action needs besides its input.
pub struct AppContext<'a> {
    /// A connection that no other request uses.
    pub db: &'a dyn Connection,
    /// The cache of the throttle.
    pub cache: &'a dyn Cache,
    /// The server's configuration.
    pub config: &'a Config,
    /// The client behind the request.
    pub client: &'a Client,
    /// When the request arrived.
    pub now: Timestamp,
    /// Set by an action that writes a message, for whoever delivers it after the reply.
    pub has_posted: &'a Cell<bool>,
}

/// The tokens of a login or a refresh.
pub struct TokenPair {
    /// Authorizes requests.
    pub access_token: String,
    /// Can be exchanged for the next pair, once.
    pub refresh_token: String,
}

impl AppContext<'_> {
    /// Counts a password check at the account with this normalized address. The first refusal of a pause is audited as
    /// `action`.
    ///
    /// # Errors
    /// [`Error::Throttled`]
    async fn begin_attempt(&self, email: &str, action: &AuditedAction) -> Result<Attempt, Error> {
        if !self.config.throttle {
            return Ok(Attempt::default());
        }
        let address = self.client.address.as_deref();
        match Attempt::begin(self.db, self.cache, &self.config.keys, email, address, self.now).await? {
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
        let Self { db, config, client, now, .. } = *self;
        if !config.throttle {
            return Ok(());
        }
        let admitted = throttle::admit(db, &config.keys, limit, client.address.as_deref(), now).await?;
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

    /// Returns the identities of a new pair of tokens.
    fn new_tokens(&self) -> NewTokens {
        let expires_at = self.now.after(self.config.refresh_ttl.min(self.config.session_absolute));
        NewTokens { access_jti: new_jti(), refresh_jti: new_jti(), expires_at }
    }

    /// Signs a pair of tokens, neither of which outlives the session.
    fn sign(&self, user_id: i64, issued: &Issued) -> Result<TokenPair, Error> {
        let Self { config, .. } = *self;
        let Issued { issued_at, started_at, expires_at, .. } = *issued;
        let access_end = issued_at.after(config.access_ttl).min(started_at.after(config.session_absolute));
        let access = config.keys.access(user_id, &issued.email, &issued.access_jti, issued_at, access_end)?;
        let refresh = config.keys.refresh(user_id, &issued.refresh_jti, issued_at, expires_at)?;
        Ok(TokenPair { access_token: access, refresh_token: refresh })
    }

    /// Writes a notice to the present address of an account, if there is mail.
    async fn post_notice(&self, kind: Kind, user: &User) -> Result<(), Error> {
        if self.config.mail.is_on() {
            self.has_posted.set(true);
            mail::post_notice(self.db, kind, user, self.now).await?;
        }
        Ok(())
    }

    /// Writes a message to verify an address of the account.
    async fn post_verification(&self, user: &User, email: &str) -> Result<(), Error> {
        self.has_posted.set(true);
        mail::post_verification(self.db, &self.config.mail, user, email, self.now).await
    }

    /// Fails if the account or the address has reached the limit of messages of this kind.
    async fn check_message_limit(&self, user: &User, email: &str, kind: Kind) -> Result<(), Error> {
        let pause = mail::pause(self.db, user.id, email, kind, self.now).await?;
        pause.map_or(Ok(()), |pause| Err(Error::Throttled(pause.as_secs().max(1))))
    }

    /// Refuses a new password that many would guess, if the configuration asks for it.
    fn check_password(&self, password: &NewPassword, email: &str) -> Result<(), Error> {
        if self.config.password_blocklist {
            blocklist::check(password, email)?;
        }
        Ok(())
    }
}
