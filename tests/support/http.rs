//! A client that reports what came back, whatever the status, and follows no redirect.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request as HttpRequest, request::Builder};

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

/// What came back.
pub(crate) struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The header's value, if it is there once and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())?.to_str().ok()
    }

    /// The body as it came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// The body as JSON, `null` if there is none.
    #[track_caller]
    pub(crate) fn json_or_null(&self) -> Value {
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// A text in the body: `reply.field("access_token")`.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {self}")).to_owned()
    }

    /// Fails the test unless the status is this.
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Fails the test unless status and body are these, and the body says that it is JSON.
    #[track_caller]
    pub(crate) fn expect(self, status: u16, json: &Value) -> Self {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self}");
        assert_eq!(self.json(), *json, "{self}");
        self
    }

    /// Fails the test unless it is an error with this status and this `detail`.
    #[track_caller]
    pub(crate) fn expect_detail(self, status: u16, detail: &str) -> Self {
        self.expect(status, &serde_json::json!({ "detail": detail }))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, self.text())
    }
}
