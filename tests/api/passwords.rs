//! `password_blocklist`.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

/// Asserts the 422 of a password that many would guess.
#[track_caller]
fn expect_refusal(reply: Reply, field: &str, reason: &str) {
    let fault = json!({
        "type": "value_error", "loc": ["body", field], "msg": format!("Value error, {reason}"), "input": "**********",
        "ctx": {"error": reason}
    });
    reply.expect(422, &json!({"detail": [fault]}));
}

#[test]
fn common_passwords_and_the_own_address_are_refused_everywhere() {
    let app = TestApp::with(&[("password_blocklist", "on")]);
    let (user, tokens) = app.logged_in("user@example.com");
    let (_, admin) = app.admin("admin@example.com");
    let path = format!("/admin/users/{}/password-reset", user.id);
    let token = app.post(&path).bearer(&admin.access).send().field("token");
    let send = |path: &str, access: &str, body: Value| app.post(path).bearer(access).json(&body).send();
    for (password, reason) in [
        ("Password1", "This password is too common"),
        ("User@Example.com", "The password must not be the email address"),
    ] {
        let before = app.db().rows("SELECT * FROM users", []);
        let body = json!({"email": "user@EXAMPLE.com", "password": password});
        expect_refusal(send("/auth/register", "", body.clone()), "password", reason);
        expect_refusal(send("/admin/users", &admin.access, body), "password", reason);
        let body = json!({"current_password": PASSWORD, "new_password": password});
        expect_refusal(send("/users/me/password", &tokens.access, body), "new_password", reason);
        let body = json!({"token": token, "new_password": password});
        expect_refusal(send("/auth/password/reset", "", body), "new_password", reason);
        assert_eq!(app.db().rows("SELECT * FROM users", []), before);
    }
    // The refusals have not used the token up.
    send("/auth/password/reset", "", json!({"token": token, "new_password": PASSWORD})).expect_status(204);
}

#[test]
fn every_password_of_eight_characters_is_accepted_by_default() {
    let app = TestApp::start();
    for (email, password) in [("one@example.com", "password"), ("two@example.com", "two@example.com")] {
        let body = json!({"email": email, "password": password});
        app.post("/auth/register").json(&body).send().expect_status(201);
    }
}

#[test]
fn the_document_says_so_where_it_is_on() {
    let refused = |value: &str| {
        let document = TestApp::with(&[("password_blocklist", value)]).get("/openapi.json").send().json();
        let paths = document["paths"].as_object().expect("paths").clone();
        let is_refused = |item: &&Value| item["post"]["responses"]["422"].to_string().contains("too common");
        paths.values().filter(is_refused).count()
    };
    assert_eq!((refused("off"), refused("on")), (0, 4));
}
