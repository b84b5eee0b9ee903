//! A request as its handler sees it.

use std::cell::{Cell, OnceCell};

use bytes::Bytes;
use http::{HeaderMap, Uri, header};
use lanterne_core::accounts::AppContext;
use lanterne_core::accounts::access::{self, Caller};
use lanterne_core::audit::Action;
use lanterne_core::client::Client;
use lanterne_core::error::AccessTokenError;
use lanterne_database::{Connection, Timestamp};

use crate::app::{App, Host};
use crate::error::Error;
use crate::input::{self, Request};
use crate::routes::Params;

/// The input of a handler.
pub(crate) struct Call<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) app: &'a App,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) params: Params<'a>,
    pub(crate) uri: &'a Uri,
    pub(crate) body: Bytes,
    /// Whether an action has written a message.
    pub(crate) has_posted: &'a Cell<bool>,
    /// Opened by the first call of [`Self::context`].
    pub(crate) db: OnceCell<Box<dyn Connection>>,
}

impl Call<'_> {
    /// Parses the body.
    pub(crate) fn body<T: Request>(&self) -> Result<T, Error> {
        let content_type = self.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
        input::parse_body(content_type, &self.body)
    }

    /// Parses the query.
    pub(crate) fn query<T: Request>(&self) -> Result<T, Error> {
        input::parse_query(self.uri.query().unwrap_or_default())
    }

    /// Parses the path parameter `{id}`.
    pub(crate) fn id(&self) -> Result<i64, Error> {
        input::parse_id("id", self.param("id"))
    }

    /// Returns a path parameter.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_default()
    }

    /// Returns the context for actions of the domain, with the request's only database connection.
    pub(crate) async fn context(&self) -> Result<AppContext<'_>, Error> {
        let db = match self.db.get() {
            Some(db) => db,
            None => {
                let connection = self.host.connect().await?;
                self.db.get_or_init(|| connection)
            }
        };
        Ok(AppContext {
            db: db.as_ref(),
            cache: self.host.cache(),
            config: &self.app.config,
            client: &self.client,
            now: self.now,
            has_posted: self.has_posted,
        })
    }

    /// Authenticates the caller by the access token in `Authorization` (RFC 6750, section 2.1).
    pub(crate) async fn caller(&self) -> Result<Caller, Error> {
        let token = bearer_token(self.headers).ok_or(AccessTokenError::Missing)?;
        Ok(access::authenticate(&self.context().await?, token).await?)
    }

    /// Authenticates an administrator. The refusal of an `action` is audited.
    pub(crate) async fn administrator(&self, action: Option<Action>) -> Result<Caller, Error> {
        let caller = self.caller().await?;
        access::require_admin(&self.context().await?, &caller, action, self.id().ok()).await?;
        Ok(caller)
    }
}

/// Returns the token of the scheme `Bearer`, which is case-insensitive (RFC 9110, section 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
