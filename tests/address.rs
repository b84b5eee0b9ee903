//! The client's address, which the host passes to the component.

use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[test]
fn a_client_cannot_choose_its_address() {
    let app = TestApp::start();
    let body = json!({"email": "user@example.com", "password": PASSWORD});
    let request =
        app.post("/auth/register").header("x-forwarded-for", "203.0.113.9").header("spin-client-addr", "203.0.113.9:1");
    request.json(&body).send().expect_status(201);
    assert_eq!(app.db().value("SELECT ip_address FROM audit_logs", []), "127.0.0.1");
}
