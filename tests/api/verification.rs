//! The verification of addresses, and closed registration.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, Tokens};

fn start(verification: &str) -> TestApp {
    let page = ("email_verification_url", "https://app.example.org/verify");
    TestApp::with(&[("mail", "log"), ("email_verification", verification), page])
}

#[track_caller]
fn verify(app: &TestApp, token: &str) -> Reply {
    app.post("/auth/email/verify").json(&json!({"token": token})).send()
}

#[track_caller]
fn change_email(app: &TestApp, tokens: &Tokens, email: &str) -> Reply {
    let body = json!({"email": email, "current_password": PASSWORD});
    app.request("PATCH", "/users/me").bearer(&tokens.access).json(&body).send()
}

#[track_caller]
fn resend(app: &TestApp, tokens: &Tokens) -> Reply {
    app.post("/users/me/email/verification").bearer(&tokens.access).send()
}

fn me(app: &TestApp, tokens: &Tokens) -> (Value, Value) {
    let me = app.get("/users/me").bearer(&tokens.access).send().expect_status(200).json();
    (me["email"].clone(), me["email_verified"].clone())
}

/// Asserts that the last message tells this former address of a change.
#[track_caller]
fn expect_told(app: &TestApp, email: &str) {
    let told = app.messages().pop().expect("a message");
    assert_eq!((&told["type"], &told["data"]["to"]), (&json!("email.changed"), &json!(email)));
}

#[test]
fn a_registered_address_is_verified_with_the_token_of_the_message() {
    let app = start("on");
    let reply = app.try_register("user@example.com").expect_status(201);
    let fields: Vec<_> = reply.json().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(fields, ["id", "email", "is_active", "is_admin", "created_at"], "the documented ones");
    let token = app.token_of("email.verify", "user@example.com");
    let message = app.messages().pop().expect("a message");
    assert_eq!(message["data"]["url"], format!("https://app.example.org/verify?token={token}"));
    assert_eq!(message["data"]["expires_at"], app.now().after(Duration::from_secs(86_400)).to_rfc3339());

    let tokens = Tokens::of(&app.try_login("user@example.com", PASSWORD).expect_status(200));
    assert_eq!(me(&app, &tokens), (json!("user@example.com"), json!(false)));
    verify(&app, &token).expect_status(204);
    assert_eq!(me(&app, &tokens), (json!("user@example.com"), json!(true)));
    verify(&app, &token).expect_detail(400, "Invalid or expired token");
    let sql = "SELECT user_id, details FROM audit_logs WHERE action = 'email_verify'";
    assert_eq!(app.db().rows(sql, []), json!([[1, "Email verified: user@example.com"]]));
}

#[test]
fn without_verification_nothing_is_sent_and_nothing_is_claimed() {
    let app = start("off");
    let (_, tokens) = app.logged_in("user@example.com");
    assert!(app.messages().is_empty());
    assert_eq!(me(&app, &tokens).1, false);
    // Who wants to can verify the address.
    resend(&app, &tokens).expect(202, &json!({"detail": "A message is on its way."}));
    verify(&app, &app.token_of("email.verify", "user@example.com")).expect_status(204);
    assert_eq!(me(&app, &tokens).1, true);
    change_email(&app, &tokens, "new@example.com").expect_status(200);
    assert_eq!(me(&app, &tokens), (json!("new@example.com"), json!(false)));
    expect_told(&app, "user@example.com");
    let (_, admin) = app.admin("admin@example.com");
    let body = json!({"email": "third@example.com"});
    app.request("PATCH", "/admin/users/1").bearer(&admin.access).json(&body).send().expect_status(200);
    expect_told(&app, "new@example.com");
}

#[test]
fn an_unverified_account_cannot_log_in_if_verification_is_required() {
    let app = start("required");
    app.register("user@example.com");
    let token = app.token_of("email.verify", "user@example.com");
    app.try_login("user@example.com", "wrong password").expect_detail(401, "Incorrect email or password");
    for _ in 0..11 {
        // The right password is no guess.
        app.try_login("user@example.com", PASSWORD).expect_detail(403, "Email not verified");
    }
    verify(&app, &token).expect_status(204);
    app.try_login("user@example.com", PASSWORD).expect_status(200);
}

#[test]
fn accounts_from_before_and_of_administrators_count_as_verified() {
    let app = start("required");
    app.db().execute(
        "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
         VALUES ('old@example.com', 'x', 1, 1, '2025-01-01 00:00:00.000000', '2025-01-01 00:00:00.000000')",
        [],
    );
    assert_eq!(app.db().value("SELECT email_verified FROM users", []), 1);
    app.db().execute("DELETE FROM users", []);

    app.register("admin@example.com");
    app.db().execute("UPDATE users SET is_admin = 1, email_verified = 1", []);
    let admin = Tokens::of(&app.try_login("admin@example.com", PASSWORD).expect_status(200));
    let create = |body: Value| app.post("/admin/users").bearer(&admin.access).json(&body).send().expect_status(201);
    let created = create(json!({"email": "made@example.com", "password": PASSWORD}));
    assert_eq!(created.json()["email_verified"], true);
    app.try_login("made@example.com", PASSWORD).expect_status(200);
    let body = json!({"email": "other@example.com", "password": PASSWORD, "email_verified": false});
    let id = create(body).json()["id"].clone();
    app.try_login("other@example.com", PASSWORD).expect_detail(403, "Email not verified");
    let path = format!("/admin/users/{id}");
    app.request("PATCH", &path).bearer(&admin.access).json(&json!({"email_verified": true})).send().expect_status(200);
    app.try_login("other@example.com", PASSWORD).expect_status(200);
    let listed = app.get("/admin/users").bearer(&admin.access).send().json();
    assert!(listed["items"].as_array().expect("items").iter().all(|user| user["email_verified"] == true), "{listed}");
}

#[test]
fn a_new_address_counts_once_it_is_verified() {
    let app = start("on");
    let (account, tokens) = app.logged_in("user@example.com");
    let detail = json!({"detail": "The address changes when it is verified: a message is on its way."});
    change_email(&app, &tokens, "new@example.com").expect(202, &detail);
    let [_, told, asked]: [Value; 3] =
        app.messages().try_into().expect("three messages, the first of the registration");
    assert_eq!((&told["type"], &told["data"]["to"]), (&json!("email.changed"), &json!("user@example.com")));
    assert_eq!((&told["data"]["token"], &told["data"]["url"]), (&Value::Null, &Value::Null));
    assert_eq!((&asked["data"]["to"], &asked["data"]["user_id"]), (&json!("new@example.com"), &json!(account.id)));
    assert_eq!(me(&app, &tokens).0, "user@example.com");
    app.try_login("new@example.com", PASSWORD).expect_status(401);

    verify(&app, &app.token_of("email.verify", "new@example.com")).expect_status(204);
    assert_eq!(me(&app, &tokens), (json!("new@example.com"), json!(true)));
    app.try_login("user@example.com", PASSWORD).expect_status(401);
    let sql = "SELECT details FROM audit_logs WHERE action = 'email_change' ORDER BY id";
    assert_eq!(
        app.db().rows(sql, []),
        json!([
            ["Email change requested: user@example.com to new@example.com"],
            ["Email changed: user@example.com to new@example.com"]
        ])
    );
}

#[test]
fn the_address_of_another_account_is_refused_at_either_end() {
    let app = start("on");
    app.register("taken@example.com");
    let (_, tokens) = app.logged_in("user@example.com");
    let before = app.messages().len();
    change_email(&app, &tokens, "taken@example.com").expect_detail(400, "Email already registered");
    assert_eq!(app.messages().len(), before);
    change_email(&app, &tokens, "new@example.com").expect_status(202);
    let token = app.token_of("email.verify", "new@example.com");
    app.register("new@example.com");
    verify(&app, &token).expect_detail(400, "Email already registered");
    assert_eq!(me(&app, &tokens).0, "user@example.com");
}

#[test]
fn ones_own_address_needs_no_message() {
    let app = start("on");
    let (_, tokens) = app.logged_in("user@example.com");
    let before = app.messages().len();
    let reply = change_email(&app, &tokens, "user@example.com").expect_status(200);
    assert_eq!((&reply.json()["email_verified"], app.messages().len()), (&json!(false), before));
}

#[test]
fn a_message_to_verify_can_be_sent_again() {
    let app = start("on");
    let (_, tokens) = app.logged_in("user@example.com");
    let first = app.token_of("email.verify", "user@example.com");
    resend(&app, &tokens).expect_status(202);
    let second = app.token_of("email.verify", "user@example.com");
    verify(&app, &first).expect_detail(400, "Invalid or expired token");
    // That of an address to be is sent to that address, and counts like the others.
    change_email(&app, &tokens, "new@example.com").expect_status(202);
    verify(&app, &second).expect_status(400);
    let reply = resend(&app, &tokens).expect_status(429);
    assert_eq!(reply.header("retry-after"), Some("3600"));
    app.wait(Duration::from_secs(3600));
    let tokens = app.refresh(&tokens.refresh);
    resend(&app, &tokens).expect_status(202);
    verify(&app, &app.token_of("email.verify", "new@example.com")).expect_status(204);
    resend(&app, &tokens).expect_detail(400, "Email already verified");
}

#[test]
fn a_message_to_verify_can_be_asked_for_without_a_login() {
    let app = start("required");
    app.register("user@example.com");
    let ask = |email: &str| app.post("/auth/email/verification").json(&json!({"email": email})).send();
    let sent = app.messages().len();
    let known = ask("user@example.com").expect_status(202);
    ask("nobody@example.com").expect(202, &known.json());
    assert_eq!(app.messages().len(), sent + 1);
    verify(&app, &app.token_of("email.verify", "user@example.com")).expect_status(204);
    ask("user@example.com").expect_status(202);
    assert_eq!(app.messages().len(), sent + 1, "a verified address needs none");
    app.try_login("user@example.com", PASSWORD).expect_status(200);
}

#[test]
fn a_password_reset_by_mail_verifies_the_address_and_one_by_hand_does_not() {
    let app = start("required");
    let admin = {
        app.register("admin@example.com");
        app.db().execute("UPDATE users SET is_admin = 1, email_verified = 1", []);
        Tokens::of(&app.try_login("admin@example.com", PASSWORD))
    };
    app.register("user@example.com");
    let reset = |token: &str| {
        let body = json!({"token": token, "new_password": PASSWORD});
        app.post("/auth/password/reset").json(&body).send().expect_status(204);
    };
    let issued = app.post("/admin/users/2/password-reset").bearer(&admin.access).send().expect_status(201);
    reset(&issued.field("token"));
    app.try_login("user@example.com", PASSWORD).expect_detail(403, "Email not verified");
    app.post("/auth/password/forgot").json(&json!({"email": "user@example.com"})).send().expect_status(202);
    reset(&app.token_of("password.reset", "user@example.com"));
    app.try_login("user@example.com", PASSWORD).expect_status(200);
}

#[test]
fn the_document_describes_what_is_configured() {
    let paths = |app: &TestApp| app.get("/openapi.json").send().json()["paths"].clone();
    let (off, on) = (paths(&TestApp::start()), paths(&start("required")));
    for path in ["/auth/password/forgot", "/auth/email/verification", "/users/me/email/verification"] {
        assert!(off[path].is_null() && on[path].is_object(), "{path}");
    }
    assert!(off["/users/me"]["patch"]["responses"]["202"].is_null());
    assert!(on["/users/me"]["patch"]["responses"]["202"].is_object());
    let forbidden = |paths: &Value, path: &str| paths[path]["post"]["responses"]["403"].to_string();
    assert!(!forbidden(&off, "/auth/login").contains("Email not verified"));
    assert!(forbidden(&on, "/auth/login").contains("Email not verified"));
    let closed = paths(&TestApp::with(&[("registration", "closed")]));
    assert!(forbidden(&closed, "/auth/register").contains("Registration is closed"));
}

#[test]
fn registration_can_be_closed() {
    let app = TestApp::with(&[("registration", "closed")]);
    app.try_register("user@example.com").expect_detail(403, "Registration is closed");
    app.try_register("user@").expect_status(422);
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 0);
    let sql = "SELECT details FROM audit_logs WHERE action = 'register'";
    assert_eq!(app.db().rows(sql, []), json!([["Refused: Registration is closed: user@example.com"]]));
    let app = app.restart_with(&[("registration", "open")]);
    let (_, admin) = app.admin("admin@example.com");
    let app = app.restart_with(&[("registration", "closed")]);
    let body = json!({"email": "made@example.com", "password": PASSWORD});
    app.post("/admin/users").bearer(&admin.access).json(&body).send().expect_status(201);
}
