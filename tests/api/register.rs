//! `POST /auth/register`.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

fn register(app: &TestApp, email: &str, password: &str) -> Reply {
    app.post("/auth/register").json(&json!({"email": email, "password": password})).send()
}

/// The `type` and `loc` of every error in a 422.
fn faults(reply: Reply) -> Vec<(String, Value)> {
    let body = reply.expect_status(422).json();
    let details = body["detail"].as_array().expect("a list of faults");
    details.iter().map(|fault| (fault["type"].as_str().expect("a type").to_owned(), fault["loc"].clone())).collect()
}

#[test]
fn register_success() {
    let app = TestApp::start();
    let reply = app.try_register("user@example.com");
    let body = reply.json();
    let created_at = body["created_at"].as_str().expect("a time").to_owned();
    assert!(created_at.ends_with('Z'), "{created_at}");
    let expected = json!({
        "id": 1, "email": "user@example.com", "is_active": true, "is_admin": false, "created_at": created_at
    });
    let reply = reply.expect(201, &expected);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn register_duplicate_email() {
    let app = TestApp::start();
    app.register("user@example.com");
    app.try_register("user@example.com").expect_detail(400, "Email already registered");
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 1);
}

#[test]
fn register_duplicate_email_in_another_spelling() {
    let app = TestApp::start();
    app.register("user@bücher.example.com");
    for same in ["user@BÜCHER.example.com", "user@xn--bcher-kva.example.com", " user@bücher.example.com "] {
        app.try_register(same).expect_detail(400, "Email already registered");
    }
    // The local part is case-sensitive.
    app.try_register("User@bücher.example.com").expect_status(201);
}

#[test]
fn register_address_of_an_inactive_account() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.db().execute("UPDATE users SET is_active = 0 WHERE id = ?1", [account.id]);
    app.try_register("user@example.com").expect_detail(400, "Email already registered");
}

#[test]
fn register_short_password() {
    let app = TestApp::start();
    let reply = register(&app, "user@example.com", "1234567");
    let fault = &reply.json()["detail"][0];
    assert_eq!(fault["msg"], "String should have at least 8 characters");
    assert_eq!(fault["ctx"], json!({"min_length": 8}));
    assert!(!reply.text().contains("1234567"), "a password is never sent back: {reply}");
    assert_eq!(faults(reply), [("string_too_short".to_owned(), json!(["body", "password"]))]);
    register(&app, "user@example.com", "12345678").expect_status(201);
}

#[test]
fn register_long_password() {
    let app = TestApp::start();
    let reply = register(&app, "user@example.com", &"x".repeat(101));
    assert_eq!(faults(reply), [("string_too_long".to_owned(), json!(["body", "password"]))]);
    // The limit counts characters, not bytes.
    let password = "𝄞".repeat(100);
    register(&app, "user@example.com", &password).expect_status(201);
    app.try_login("user@example.com", &password).expect_status(200);
    // Bytes beyond bcrypt's limit of 72 count as well.
    app.try_login("user@example.com", &"𝄞".repeat(99)).expect_status(401);
    assert!(app.db().value("SELECT count(*) FROM users", []) == 1);
}

#[test]
fn register_invalid_email() {
    let app = TestApp::start();
    for email in ["", "nope", "@example.com", "a@", "a@localhost", "a@b", "a b@example.com", "a@127.0.0.1", "a@x.test"]
    {
        let reply = register(&app, email, PASSWORD);
        let message = reply.json()["detail"][0]["msg"].as_str().unwrap_or_default().to_owned();
        assert!(message.starts_with("value is not a valid email address: "), "{email:?}: {reply}");
        assert_eq!(faults(reply), [("value_error".to_owned(), json!(["body", "email"]))], "{email:?}");
    }
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 0);
}

#[test]
fn register_missing_fields() {
    let app = TestApp::start();
    let both =
        |kind: &str| vec![(kind.to_owned(), json!(["body", "email"])), (kind.to_owned(), json!(["body", "password"]))];
    let send = |body: Value| app.post("/auth/register").json(&body).send();
    assert_eq!(faults(send(json!({}))), both("missing"));
    assert_eq!(faults(send(json!({"email": null, "password": null}))), both("string_type"));
    assert_eq!(faults(send(json!({"email": 5, "password": ["x"]}))), both("string_type"));
    send(json!({})).expect(
        422,
        &json!({"detail": [
            {"type": "missing", "loc": ["body", "email"], "msg": "Field required", "input": {}},
            {"type": "missing", "loc": ["body", "password"], "msg": "Field required", "input": {}}
        ]}),
    );
}

#[test]
fn register_ignores_unknown_fields() {
    let app = TestApp::start();
    let body = json!({"email": "user@example.com", "password": PASSWORD, "is_admin": true, "id": 99});
    let reply = app.post("/auth/register").json(&body).send().expect_status(201);
    assert_eq!((&reply.json()["id"], &reply.json()["is_admin"]), (&json!(1), &json!(false)));
    assert_eq!(app.db().rows("SELECT id, is_admin FROM users", []), json!([[1, 0]]));
}
