//! `GET /healthz`, `GET /readyz` and `GET /`.

use serde_json::json;

use crate::support::TestApp;

#[test]
fn health_check() {
    let app = TestApp::start();
    let reply = app.get("/healthz").send().expect_status(200);
    let body = reply.json();
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let timestamp = body["timestamp"].as_str().expect("a text");
    assert!(timestamp.ends_with('Z') && timestamp.as_bytes()[10] == b'T', "{timestamp}");
    assert_eq!(body, json!({"status": "healthy", "timestamp": timestamp, "version": "1.0.0"}));
}

#[test]
fn health_ignores_query_body_and_credentials() {
    let app = TestApp::start();
    let reply = app.get("/healthz?verbose=1").header("authorization", "Bearer nonsense").header("accept", "text/html");
    reply.send().expect_status(200);
}

#[test]
fn readiness_says_what_is_wrong() {
    let app = TestApp::start();
    let expect = |status: u16, database: &str, key_value: &str, revision: Option<&str>| {
        let word = if status == 200 { "ready" } else { "not ready" };
        let body = json!({"status": word, "database": database, "key_value": key_value, "revision": revision});
        let reply = app.get("/readyz").send();
        assert_eq!(reply.header("retry-after"), (status == 503).then_some("5"), "{reply}");
        reply.expect(status, &body);
    };
    expect(503, "no migration is applied", "ok", None);
    app.db().execute("CREATE TABLE schema_migrations (revision INTEGER)", []);
    app.db().execute("INSERT INTO schema_migrations VALUES (3)", []);
    expect(503, "migrations are missing", "ok", Some("0003"));
    app.db().execute("INSERT INTO schema_migrations VALUES (12)", []);
    expect(200, "ok", "ok", Some("0012"));
    app.break_key_value();
    expect(503, "ok", "not available", Some("0012"));
    app.db().execute("ALTER TABLE schema_migrations RENAME COLUMN revision TO number", []);
    expect(503, "not available", "not available", None);
    assert!(app.log().contains("GET /readyz: database: no such column: revision"), "{}", app.log());
}

#[test]
fn root_returns_name_and_version() {
    let app = TestApp::start();
    app.get("/").send().expect(200, &json!({"message": "Lanterne Rouge API", "version": "v1", "docs": "/docs"}));
}

#[test]
fn every_reply_has_a_request_id_and_nosniff() {
    let app = TestApp::start();
    for path in ["/healthz", "/nowhere"] {
        let reply = app.get(path).send();
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{reply}");
        assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "{reply}");
        let reply = app.get(path).header("x-request-id", "abc-123").send();
        assert_eq!(reply.header("x-request-id"), Some("abc-123"));
        for refused in ["a b", "a;b", "a\"b", &"x".repeat(65)] {
            let reply = app.get(path).header("x-request-id", refused).send();
            assert_eq!(reply.header("x-request-id").map(str::len), Some(36), "a new UUID for {refused:?}: {reply}");
        }
    }
}
