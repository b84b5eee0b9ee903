//! The API of one test: requests, the clock, and the database.
#![allow(dead_code, reason = "shared by the native tests and the fuzz targets, which use different parts")]

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use futures_lite::future::block_on;
use http::request::Builder;
use http_body_util::Full;
use lanterne_database::Timestamp;
use serde_json::{Value, json};

use super::database::Database;
use super::document::Document;
use super::host::TestHost;
use super::reply::Reply;

/// The API on its own host.
pub(crate) struct TestApp {
    host: TestHost,
    document: OnceCell<Option<Document>>,
    /// Whether messages stay in the outbox after a reply.
    is_waiting: Cell<bool>,
}

impl TestApp {
    /// Starts the API on an empty database.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts the API with these variables.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self { host: TestHost::new(variables), document: OnceCell::new(), is_waiting: Cell::new(false) }
    }

    /// Restarts the API on the same database with these variables changed.
    pub(crate) fn restart_with(self, variables: &[(&str, &str)]) -> Self {
        Self { host: self.host.restart_with(variables), document: OnceCell::new(), ..self }
    }

    /// The time of the next request.
    pub(crate) fn now(&self) -> Timestamp {
        self.host.now.get()
    }

    /// Moves the clock forward.
    pub(crate) fn wait(&self, duration: Duration) {
        self.host.now.set(self.now().after(duration));
    }

    /// Sets the clock back.
    pub(crate) fn turn_back(&self, duration: Duration) {
        self.host.now.set(self.now().before(duration));
    }

    /// Leaves messages in the outbox after replies.
    pub(crate) fn hold_messages(&self) {
        self.is_waiting.set(true);
    }

    /// Delivers the messages that are due.
    pub(crate) fn deliver(&self) {
        block_on(api::delivery::deliver(&self.host));
    }

    /// `GET path`
    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// `POST path`
    pub(crate) fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// `METHOD path`
    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        self.request_uri(method, &format!("http://127.0.0.1{path}"))
    }

    /// `METHOD uri`
    pub(crate) fn request_uri(&self, method: &str, uri: &str) -> Request<'_> {
        Request { app: self, builder: http::Request::builder().method(method).uri(uri), body: Vec::new() }
    }

    /// The database.
    pub(crate) fn db(&self) -> Database {
        Database::open(&self.host.path())
    }

    /// The file of the database.
    pub(crate) fn db_bytes(&self) -> Vec<u8> {
        std::fs::read(self.host.path()).expect("the file can be read")
    }

    /// The log.
    pub(crate) fn log(&self) -> String {
        self.host.log.borrow().clone()
    }

    /// The messages in the log, as `mail=log` writes them.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.strip_prefix("mail msg_")?.split_once(' '));
        lines.map(|(_, body)| serde_json::from_str(body).expect("JSON")).collect()
    }

    /// The token of the latest message, which has this type and recipient.
    #[track_caller]
    pub(crate) fn token_of(&self, kind: &str, to: &str) -> String {
        let messages = self.messages();
        let last = messages.last().expect("a message");
        assert_eq!((&last["type"], &last["data"]["to"]), (&json!(kind), &json!(to)), "{last}");
        last["data"]["token"].as_str().expect("a token").to_owned()
    }

    /// Returns the log and clears it.
    pub(crate) fn take_log(&self) -> String {
        self.host.log.take()
    }

    /// Asserts that the document of this configuration describes a reply, if it has the operation.
    #[track_caller]
    fn expect_documented(&self, method: &str, path: &str, reply: &Reply) {
        let document = self.document.get_or_init(|| {
            let request = http::Request::get("http://127.0.0.1/openapi.json").body(Full::default()).expect("a request");
            // Another host, so that this request leaves no traces in the log.
            let reply = block_on(api::pipeline::serve(&self.host.twin(), request));
            reply.status().is_success().then(|| Document(serde_json::from_slice(reply.body()).expect("JSON")))
        });
        let Some(document) = document else { return };
        if let Some(template) = document.template(method, path) {
            document.expect(method, &template, reply);
        }
    }

    /// Sends a request as it is.
    #[track_caller]
    pub(crate) fn serve(&self, request: http::Request<Vec<u8>>) -> Reply {
        let is_head = request.method() == http::Method::HEAD;
        let request = request.map(|body| Full::new(body.into()));
        let (parts, body) = block_on(api::pipeline::serve(&self.host, request)).into_parts();
        // As the component does after its reply.
        if parts.extensions.get::<api::delivery::Undelivered>().is_some() && !self.is_waiting.get() {
            self.deliver();
        }
        // Hosts drop the body of a reply to HEAD.
        let body = if is_head { Vec::new() } else { body.to_vec() };
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Forgets the counters of the throttle.
    pub(crate) fn forget_counters(&self) {
        self.db().execute("DELETE FROM throttle", []);
    }

    /// Makes the key-value store fail.
    pub(crate) fn break_key_value(&self) {
        self.host.is_key_value_broken.set(true);
    }
}

/// A request to send.
pub(crate) struct Request<'a> {
    app: &'a TestApp,
    builder: Builder,
    body: Vec<u8>,
}

impl Request<'_> {
    /// Adds a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    /// Adds a header whose value may not be text.
    pub(crate) fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Adds an access token.
    pub(crate) fn bearer(self, access_token: &str) -> Self {
        self.header("authorization", &format!("Bearer {access_token}"))
    }

    /// Sets a JSON body and its content type.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").raw_body(value.to_string())
    }

    /// Sets a body without content type.
    pub(crate) fn raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request as a client at 127.0.0.1.
    #[track_caller]
    pub(crate) fn send(self) -> Reply {
        let has_agent = self.builder.headers_ref().is_some_and(|headers| headers.contains_key("user-agent"));
        let builder = self.builder.header("spin-client-addr", "127.0.0.1:40000");
        let builder = if has_agent { builder } else { builder.header("user-agent", "test-client/1.0") };
        let request = builder.body(self.body).expect("a request");
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let reply = self.app.serve(request);
        self.app.expect_documented(&method, &path, &reply);
        reply
    }
}
