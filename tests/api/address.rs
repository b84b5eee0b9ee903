//! The client's address: of the connection, or from the header of a trusted proxy.

use serde_json::json;

use crate::support::{Reply, TestApp};

/// A wrong guess, sent with `header`.
fn guess(app: &TestApp, header: &str, value: &[u8]) -> Reply {
    let body = json!({"email": "user@example.com", "password": "not the password"});
    app.post("/auth/login").header_bytes(header, value).json(&body).send()
}

/// The address of the latest attempt.
fn latest(app: &TestApp) -> String {
    let sql = "SELECT ip_address FROM audit_logs WHERE action = 'login_failed' ORDER BY id DESC LIMIT 1";
    app.db().value(sql, []).as_str().expect("an address").to_owned()
}

#[test]
fn the_hosts_header_counts_after_one_of_the_client() {
    let app = TestApp::start();
    app.register("user@example.com");
    // Spin adds its own header after the client's.
    for number in 0..10 {
        guess(&app, "spin-client-addr", format!("203.0.113.{number}:1").as_bytes()).expect_status(401);
        assert_eq!(latest(&app), "127.0.0.1");
    }
    guess(&app, "spin-client-addr", b"203.0.113.10:1").expect_status(429);
    assert_eq!(app.log(), "");
}

#[test]
fn the_proxys_header_counts_in_all_its_forms() {
    let app = TestApp::with(&[("client_ip_header", "Forwarded")]);
    for (value, address) in [
        (&b"for=203.0.113.1, for=\"[2001:db8::1]:1024\";proto=https"[..], "2001:db8::1"),
        (b"203.0.113.1, 198.51.100.1:1024", "198.51.100.1"),
        (b"b\xFCcher, 198.51.100.2", "198.51.100.2"),
    ] {
        guess(&app, "forwarded", value).expect_status(401);
        assert_eq!(latest(&app), address);
    }
    assert_eq!(app.log(), "");
}

#[test]
fn an_unreadable_or_missing_header_is_logged_once_and_counts_for_the_connection() {
    let app = TestApp::with(&[("client_ip_header", "x-forwarded-for")]);
    for number in 0..10 {
        // A client can send the first element only.
        guess(&app, "x-forwarded-for", format!("203.0.113.{number}, unknown").as_bytes()).expect_status(401);
        assert_eq!(latest(&app), "127.0.0.1");
    }
    guess(&app, "x-forwarded-for", b"203.0.113.10, unknown").expect_status(429);
    guess(&app, "x-other", b"203.0.113.10").expect_status(429);
    guess(&app, "x-forwarded-for", b"203.0.113.10").expect_status(401);
    let log = app.log();
    assert_eq!(log.matches("client_ip_header is x-forwarded-for, but a request has no IP address").count(), 1, "{log}");
    assert_eq!(
        log.matches("client_ip_header is x-forwarded-for, but a request has no such header").count(),
        1,
        "{log}"
    );
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(!log.contains("203.0.113"), "headers are not logged: {log}");
}
