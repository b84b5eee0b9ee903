//! Messages of the real components.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Host, TestApp};

#[test]
fn a_message_is_written_to_the_log_after_the_reply() {
    let app = TestApp::with(&[("mail", "log"), ("password_reset_url", "https://app.example.org/reset")]);
    app.register("user@example.com");
    for email in ["nobody@example.com", "user@example.com"] {
        app.post("/auth/password/forgot").json(&json!({"email": email})).send().expect_status(202);
    }
    let rows = || app.db().rows("SELECT recipient, token, delivered_at IS NULL FROM outbox", []);
    while rows() != json!([["user@example.com", null, 0]]) {
        thread::sleep(Duration::from_millis(5));
    }
    let log = app.into_log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("mail msg_")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("https://app.example.org/reset?token="), "{}", lines[0]);
    if let Host::Lanterne = Host::under_test() {
        assert!(lines[0].contains("INFO"), "{}", lines[0]);
    }
}
