//! The client's address, which the host passes to the component.

use serde_json::json;

use crate::support::{Host, PASSWORD, TestApp};

#[test]
fn a_client_cannot_choose_its_address() {
    let app = TestApp::start();
    let body = json!({"email": "user@example.com", "password": PASSWORD});
    let request =
        app.post("/auth/register").header("x-forwarded-for", "203.0.113.9").header("spin-client-addr", "203.0.113.9:1");
    request.json(&body).send().expect_status(201);
    assert_eq!(app.db().value("SELECT ip_address FROM audit_logs", []), "127.0.0.1");
}

#[test]
fn the_component_and_the_log_have_the_address_from_the_proxy() {
    let app = TestApp::with(&[("client_ip_header", "Forwarded")]);
    let body = json!({"email": "user@example.com", "password": PASSWORD});
    let client = "for=203.0.113.9, for=\"[2001:db8::1]:1024\";proto=https";
    app.post("/auth/register").header("forwarded", client).json(&body).send().expect_status(201);
    for (header, value) in [("forwarded", "for=203.0.113.9, for=unknown"), ("x-other", "x")] {
        for _ in 0..3 {
            app.post("/auth/login").header(header, value).json(&body).send().expect_status(200);
        }
    }
    let addresses = app.db().rows("SELECT DISTINCT ip_address FROM audit_logs ORDER BY id", []);
    assert_eq!(addresses, json!([["2001:db8::1"], ["127.0.0.1"]]));
    let log = app.into_log();
    assert!(!log.contains("203.0.113.9"), "{log}");
    // On Spin, each instance reports for itself, and nobody logs requests.
    if let Host::Lanterne = Host::under_test() {
        assert!(log.contains("client=2001:db8::1") && log.contains("client=127.0.0.1"), "{log}");
        assert_eq!(log.matches("client_ip_header is forwarded, but a request has no IP address").count(), 1, "{log}");
        assert_eq!(log.matches("client_ip_header is forwarded, but a request has no such header").count(), 1, "{log}");
    }
}
