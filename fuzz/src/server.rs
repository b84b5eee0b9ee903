//! The API on an SQLite file that can be reset, as in the native tests.

use http::{HeaderMap, Method, Request};
use serde_json::Value;

use crate::support::{self, Database, Document, Reply, TestApp, Tokens};

/// The password of all accounts.
pub const PASSWORD: &str = support::PASSWORD;

/// A server with an administrator and a user, both logged in.
pub struct Server {
    app: TestApp,
    db: Database,
    /// Restores the rows of all tables.
    reset: String,
    document: Document,
    admin: Tokens,
    user: Tokens,
}

/// An operation of the OpenAPI document.
#[derive(Clone)]
pub struct Operation {
    /// The method, in upper case.
    pub method: String,
    /// The path, with the placeholder `{id}`.
    pub path: String,
    /// The description.
    pub description: Value,
}

/// A reply that has passed [`Server::send`].
pub struct Checked {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The body as JSON; `null` if it is something else.
    pub json: Value,
}

impl Server {
    /// Starts a server with these variables.
    #[must_use]
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let app = TestApp::with(variables);
        let (_, admin) = app.admin("admin@example.com");
        let (_, user) = app.logged_in("user@example.com");
        app.register("Ünal+x@bücher.example");
        let db = app.db();
        db.execute("UPDATE users SET is_active = 0 WHERE id = 3", []);
        let (save, reset) = save_and_reset(&db);
        db.execute_all(&save);
        let document = Document::of(&app);
        app.take_log();
        Self { app, db, reset, document, admin, user }
    }

    /// Restores the rows that the server had after its start, and forgets the counters of the throttle.
    pub fn reset(&self) {
        self.app.forget_counters();
        self.db.execute_all(&self.reset);
    }

    /// Returns the operations for which `is_chosen` holds, given their description.
    #[must_use]
    pub fn operations(&self, is_chosen: impl Fn(&Value) -> bool) -> Vec<Operation> {
        let all = self.document.operations();
        let chosen = all.filter(|(.., description)| is_chosen(description));
        let owned = chosen.map(|(method, path, description)| (method, path.to_owned(), description.clone()));
        owned.map(|(method, path, description)| Operation { method, path, description }).collect()
    }

    /// Returns the access token of the administrator, or of the user.
    #[must_use]
    pub fn token(&self, is_admin: bool) -> &str {
        if is_admin { &self.admin.access } else { &self.user.access }
    }

    /// Returns the refresh token of the user.
    #[must_use]
    pub fn refresh_token(&self) -> &str {
        &self.user.refresh
    }

    /// Follows a reference within the OpenAPI document.
    #[must_use]
    pub fn target(&self, reference: &str) -> &Value {
        support::conforms::target(&self.document.0, reference)
    }

    /// Returns the first violation of a schema of the OpenAPI document.
    #[must_use]
    pub fn violation(&self, schema: &Value, value: &Value) -> Option<String> {
        support::conforms::fault(&self.document.0, schema, value)
    }

    /// Sends a request to a documented operation, with the id 2 and the token of an account that may call it. Returns
    /// `None` if `query` cannot be part of a URL.
    ///
    /// # Panics
    /// The reply is not documented, or breaks a rule of [`Self::send`].
    pub fn call(&self, operation: &Operation, query: &str, body: &[u8]) -> Option<Checked> {
        let path = operation.path.replace("{id}", "2");
        let token = self.token(path.starts_with("/admin"));
        let request = Request::builder()
            .method(operation.method.as_str())
            .uri(format!("http://127.0.0.1{path}?{query}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("spin-client-addr", "127.0.0.1:40000");
        let reply = self.app.serve(request.body(body.to_vec()).ok()?);
        self.document.expect(&operation.method, &operation.path, &reply);
        Some(check(&reply, &operation.method))
    }

    /// Sends any request.
    ///
    /// # Panics
    /// The server fails, or the reply lacks what every reply has.
    pub fn send(&self, request: Request<Vec<u8>>) -> Checked {
        let method = request.method().clone();
        check(&self.app.serve(request), method.as_str())
    }

    /// Takes the log, which is empty afterwards.
    #[must_use]
    pub fn take_log(&self) -> String {
        self.app.take_log()
    }
}

/// Checks the rules of every reply.
fn check(reply: &Reply, method: &str) -> Checked {
    assert!(reply.status() < 500, "{reply}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{reply}");
    assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "{reply}");
    let json: Value = serde_json::from_slice(reply.bytes()).unwrap_or_default();
    if reply.status() >= 400 && method != Method::HEAD.as_str() {
        let is_list = json["detail"].as_array().is_some_and(|faults| !faults.is_empty());
        assert!(is_list == (reply.status() == 422) && (is_list || json["detail"].is_string()), "{reply}");
    }
    Checked { status: reply.status(), headers: reply.headers().clone(), body: reply.bytes().to_vec(), json }
}

/// Returns the SQL that saves the rows of all tables, and the SQL that restores them.
fn save_and_reset(db: &Database) -> (String, String) {
    let tables = db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'", []);
    let names = tables.as_array().into_iter().flatten().filter_map(|row| row[0].as_str());
    let mut save = "PRAGMA synchronous = OFF; ATTACH ':memory:' AS saved;".to_owned();
    let mut reset = "BEGIN IMMEDIATE;".to_owned();
    for name in names {
        // Names that begin with `sqlite_` are reserved.
        let copy = name.replace("sqlite_", "");
        save += &format!("CREATE TABLE saved.\"{copy}\" AS SELECT * FROM main.\"{name}\";");
        reset += &format!("DELETE FROM main.\"{name}\"; INSERT INTO main.\"{name}\" SELECT * FROM saved.\"{copy}\";");
    }
    (save, reset + "COMMIT")
}
