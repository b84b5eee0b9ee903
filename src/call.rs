//! What a handler is given: the request as far as it concerns it, and the way to the database.

use bytes::Bytes;
use lanterne_core::accounts::Context;
use lanterne_core::accounts::access::{self, Caller};
use lanterne_core::audit::Action;
use lanterne_core::client::Client;
use lanterne_core::config::Config;
use lanterne_core::error::{Denial, Error};
use lanterne_core::validation::{self, BodyError, Request};
use lanterne_database::Connection;
use lanterne_database::Timestamp;
use spin_sdk::http::{HeaderMap, HeaderValue};

use crate::database::{self, Pooled};
use crate::memory::KeyValue;
use crate::routes::Params;

/// One request on its way through a handler.
pub(crate) struct Call<'a> {
    pub(crate) config: &'a Config,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) params: Params<'a>,
    pub(crate) query: &'a str,
    pub(crate) body: Bytes,
}

impl Call<'_> {
    /// The body as a `T`, or all that is wrong with it.
    pub(crate) fn body<T: Request>(&self) -> Result<T, Error> {
        read_body(self.headers.get(http::header::CONTENT_TYPE), &self.body)
    }

    /// What stands behind the question mark as a `T`, or all that is wrong with it.
    pub(crate) fn query<T: Request>(&self) -> Result<T, Error> {
        validation::parse_query(self.query).map_err(Error::Invalid)
    }

    /// The piece of the path that stands for `{id}` in the table of routes.
    pub(crate) fn id(&self) -> Result<i64, Error> {
        validation::parse_id("id", self.param("id")).map_err(Error::Invalid)
    }

    /// Who is asking, by the access token in `Authorization` (RFC 6750, section 2.1).
    pub(crate) async fn caller(&self) -> Result<Caller, Error> {
        let token = bearer_token(self.headers).ok_or(Denial::Missing)?;
        let db = self.database().await?;
        access::authenticate(&self.context(&db), token).await
    }

    /// Who is asking, if it is an administrator; `action` is what others are refused to do.
    pub(crate) async fn administrator(&self, action: Option<Action>) -> Result<Caller, Error> {
        let caller = self.caller().await?;
        let db = self.database().await?;
        access::require_admin(&self.context(&db), &caller, action, self.id().ok()).await?;
        Ok(caller)
    }

    /// The piece of the path that stands for `{name}` in the table of routes.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_default()
    }

    /// A connection that is this request's alone until it is dropped.
    pub(crate) async fn database(&self) -> Result<Pooled, Error> {
        Ok(database::check_out().await?)
    }

    /// What the domain needs beside its input.
    pub(crate) fn context<'c, C: Connection>(&'c self, db: &'c C) -> Context<'c, C> {
        Context { db, memory: &KeyValue, config: self.config, client: &self.client, now: self.now }
    }
}

/// A body as a `T`, or all that is wrong with it.
pub(crate) fn read_body<T: Request>(content_type: Option<&HeaderValue>, body: &[u8]) -> Result<T, Error> {
    validation::parse_body(content_type.map(HeaderValue::as_bytes), body).map_err(|error| match error {
        BodyError::Unparseable => Error::Unparseable,
        BodyError::Invalid(faults) => Error::Invalid(faults),
    })
}

/// The token of the scheme `Bearer`, whose name may be written in any case (RFC 9110, section 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(http::header::AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
