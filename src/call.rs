//! What a handler is given: the request as far as it concerns it, and the way to the database.

use bytes::Bytes;
use lanterne_core::accounts::Context;
use lanterne_core::client::Client;
use lanterne_core::config::Config;
use lanterne_core::db::Connection;
use lanterne_core::error::Error;
use lanterne_core::timestamp::Timestamp;
use lanterne_core::validation::{self, BodyError, Request};
use spin_sdk::http::{HeaderMap, HeaderValue};

use crate::database::{self, Pooled};
use crate::routes::Params;

/// One request on its way through a handler.
pub(crate) struct Call<'a> {
    pub(crate) config: &'a Config,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) params: Params<'a>,
    pub(crate) body: Bytes,
}

impl Call<'_> {
    /// The body as a `T`, or all that is wrong with it.
    pub(crate) fn body<T: Request>(&self) -> Result<T, Error> {
        read_body(self.headers.get(http::header::CONTENT_TYPE), &self.body)
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
        Context { db, config: self.config, client: &self.client, now: self.now }
    }
}

/// A body as a `T`, or all that is wrong with it.
pub(crate) fn read_body<T: Request>(content_type: Option<&HeaderValue>, body: &[u8]) -> Result<T, Error> {
    validation::parse_body(content_type.map(HeaderValue::as_bytes), body).map_err(|error| match error {
        BodyError::Unparseable => Error::Unparseable,
        BodyError::Invalid(faults) => Error::Invalid(faults),
    })
}
