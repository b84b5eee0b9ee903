//! An HTTP client that returns every reply as it is: no redirects, no errors for a status.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::Request as HttpRequest;
use ureq::http::request::Builder;

use super::reply::Reply;

/// A pool of connections to one server.
pub(crate) struct Client(Agent);

impl Client {
    /// Creates a client without connections.
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

    /// Starts a request without headers or body.
    pub(crate) fn request(&self, method: &str, url: &str) -> Request<'_> {
        Request { agent: &self.0, builder: HttpRequest::builder().method(method).uri(url), body: None }
    }
}

/// A request to be sent.
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

    /// Authorizes the request with an access token.
    pub(crate) fn bearer(self, access_token: &str) -> Self {
        self.header("authorization", &format!("Bearer {access_token}"))
    }

    /// Sets a JSON body and its content type.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").raw_body(value.to_string())
    }

    /// Sets the body, without a content type.
    pub(crate) fn raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the request and reads the reply.
    #[track_caller]
    pub(crate) fn send(self) -> Reply {
        self.try_send().unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Sends the request and reads the reply.
    ///
    /// # Errors
    /// There was none, or only a part of it.
    pub(crate) fn try_send(self) -> Result<Reply, ureq::Error> {
        // ureq sends these methods without a body as chunked; most clients send `content-length: 0`.
        let is_upload =
            self.builder.method_ref().is_some_and(|method| ["POST", "PUT", "PATCH"].contains(&method.as_str()));
        let response = match self.body.or_else(|| is_upload.then(Vec::new)) {
            Some(body) => self.agent.run(self.builder.body(body).expect("a request")),
            None => self.agent.run(self.builder.body(()).expect("a request")),
        };
        let mut response = response?;
        let body = response.body_mut().read_to_vec()?;
        Ok(Reply { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}
