//! A client that reports what came back, whatever the status, and follows no redirect.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::Request as HttpRequest;
use ureq::http::request::Builder;

use super::reply::Reply;

/// Connections to the server, kept open between requests.
pub(crate) struct Client(Agent);

impl Client {
    /// With no connection yet.
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_idle_connections_per_host(64)
            .build();
        Self(config.into())
    }

    /// A request without headers and body so far.
    pub(crate) fn request(&self, method: &str, url: &str) -> Request<'_> {
        Request { agent: &self.0, builder: HttpRequest::builder().method(method).uri(url), body: None }
    }
}

/// A request in the making.
pub(crate) struct Request<'a> {
    agent: &'a Agent,
    builder: Builder,
    body: Option<Vec<u8>>,
}

impl Request<'_> {
    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// As the owner of this access token.
    pub(crate) fn bearer(self, access_token: &str) -> Self {
        self.header("authorization", &format!("Bearer {access_token}"))
    }

    /// With `value` as its body and its content type.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").raw_body(value.to_string())
    }

    /// With these bytes as its body, and no content type.
    pub(crate) fn raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it.
    #[track_caller]
    pub(crate) fn send(self) -> Reply {
        // The library announces a body for these methods in any case; as most clients do, let it be one of length 0.
        let is_upload =
            self.builder.method_ref().is_some_and(|method| ["POST", "PUT", "PATCH"].contains(&method.as_str()));
        let response = match self.body.or_else(|| is_upload.then(Vec::new)) {
            Some(body) => self.agent.run(self.builder.body(body).expect("a request")),
            None => self.agent.run(self.builder.body(()).expect("a request")),
        };
        let mut response = response.unwrap_or_else(|error| panic!("no reply: {error}"));
        let body = response.body_mut().read_to_vec().unwrap_or_else(|error| panic!("half a reply: {error}"));
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }
}
