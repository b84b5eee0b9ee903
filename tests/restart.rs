//! Restarting a server in the same folder.

use serde_json::json;

use crate::support::TestApp;

#[test]
fn restart_keeps_accounts_and_sessions() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let before = app.db().rows("SELECT * FROM users", []);
    let app = app.restart_with(&[]);
    assert_eq!(app.db().rows("SELECT * FROM users", []), before);
    let tokens = app.refresh(&tokens.refresh);
    let app = app.restart_with(&[]);
    app.refresh(&tokens.refresh);
    app.login(&account);
    app.try_register("user@example.com").expect_detail(400, "Email already registered");
    assert_eq!(app.db().rows("SELECT email FROM users", []), json!([["user@example.com"]]));
}

#[test]
fn restart_with_another_key_invalidates_all_tokens() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let app = app.restart_with(&[("secret_key", "the next secret, which is longer than thirty-two bytes")]);
    app.try_refresh(&tokens.refresh).expect_detail(401, "Invalid token");
    app.login(&account);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the shutdown of lanterne")]
fn a_server_stopped_by_sigterm_exits_with_zero() {
    let app = TestApp::start();
    app.get("/healthz").send().expect_status(200);
    assert_eq!(app.stop(), Some(0));
}
