//! `/auth/password` and `POST /admin/users/{id}/password-reset`: forgotten passwords.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

const NEW_PASSWORD: &str = "another horse, another staple";
const HOUR: Duration = Duration::from_secs(60 * 60);

fn start() -> TestApp {
    TestApp::with(&[("mail", "log"), ("password_reset_url", "https://app.example.org/reset?lang=fr")])
}

#[track_caller]
fn forgot(app: &TestApp, email: &str) -> Reply {
    app.post("/auth/password/forgot").json(&json!({"email": email})).send()
}

#[track_caller]
fn reset(app: &TestApp, token: &str, password: &str) -> Reply {
    app.post("/auth/password/reset").json(&json!({"token": token, "new_password": password})).send()
}

/// Asks for a token and returns it.
#[track_caller]
fn token(app: &TestApp, email: &str) -> String {
    forgot(app, email).expect_status(202);
    app.token_of("password.reset", &email.trim().to_lowercase())
}

fn audit(app: &TestApp, action: &str) -> Value {
    app.db().rows("SELECT user_id, resource_id, details FROM audit_logs WHERE action = ?1 ORDER BY id", [action])
}

#[test]
fn a_forgotten_password_is_replaced_with_the_token_of_the_message() {
    let app = start();
    let (account, tokens) = app.logged_in("user@example.com");
    let token = token(&app, " user@EXAMPLE.com ");
    let message = app.messages().pop().expect("a message");
    let url = format!("https://app.example.org/reset?lang=fr&token={token}");
    let data = &message["data"];
    assert_eq!((&data["user_id"], &data["url"]), (&json!(account.id), &json!(url)));
    assert_eq!(data["expires_at"], app.now().after(HOUR / 2).to_rfc3339());
    assert_eq!(message["timestamp"], app.now().to_rfc3339());

    reset(&app, &token, NEW_PASSWORD).expect_status(204);
    app.get("/users/me").bearer(&tokens.access).send().expect_detail(401, "Invalid or expired access token");
    app.try_refresh(&tokens.refresh).expect_status(401);
    app.try_login("user@example.com", PASSWORD).expect_status(401);
    app.try_login("user@example.com", NEW_PASSWORD).expect_status(200);
    // The owner is told.
    let notice = app.messages().pop().expect("a message");
    assert_eq!((&notice["type"], &notice["data"]["to"]), (&json!("password.changed"), &json!("user@example.com")));
    assert_eq!((&notice["data"]["url"], &notice["data"]["token"]), (&Value::Null, &Value::Null));

    reset(&app, &token, PASSWORD).expect_detail(400, "Invalid or expired token");
    app.try_login("user@example.com", NEW_PASSWORD).expect_status(200);
    let id = account.id;
    let details = "Password reset, all sessions ended (1): user@example.com";
    assert_eq!(audit(&app, "password_reset"), json!([[id, id.to_string(), details]]));
    let details = "Message to reset the password requested: user@example.com";
    assert_eq!(audit(&app, "password_forgot"), json!([[null, null, details]]));
}

#[test]
fn everybody_gets_the_same_reply_for_the_same_writes() {
    let app = start();
    app.register("user@example.com");
    let (inactive, _) = app.logged_in("inactive@example.com");
    app.db().execute("UPDATE users SET is_active = 0 WHERE id = ?1", [inactive.id]);
    app.hold_messages();
    let written = || {
        let sql = "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM one_time_tokens),
                          (SELECT count(*) FROM audit_logs), (SELECT max(token IS NOT NULL OR user_id IS NOT NULL) FROM outbox)";
        app.db().rows(sql, [])
    };
    let detail = json!({"detail": "If there is such an account, a message is on its way."});
    let audited = app.db().value("SELECT count(*) FROM audit_logs", []).as_i64().expect("a number");
    for (number, email) in (1..).zip(["user@example.com", "nobody@example.com", "inactive@example.com"]) {
        forgot(&app, email).expect(202, &detail);
        assert_eq!(written(), json!([[number, 0, audited + number, 0]]), "{email}");
    }
    app.deliver();
    assert_eq!(app.messages().len(), 1);
    app.token_of("password.reset", "user@example.com");
    // Of the others nothing is kept.
    assert_eq!(app.db().rows("SELECT recipient, token FROM outbox", []), json!([["user@example.com", null]]));
}

#[test]
fn a_new_token_ends_the_former_one() {
    let app = start();
    app.register("user@example.com");
    let first = token(&app, "user@example.com");
    let second = token(&app, "user@example.com");
    reset(&app, &first, NEW_PASSWORD).expect_detail(400, "Invalid or expired token");
    reset(&app, &second, NEW_PASSWORD).expect_status(204);
}

#[test]
fn tokens_are_stored_as_hashes_and_expire() {
    let app = start();
    app.register("user@example.com");
    let token = token(&app, "user@example.com");
    assert!(token.len() == 43, "256 bits: {token}");
    for sql in ["SELECT * FROM one_time_tokens", "SELECT * FROM outbox", "SELECT * FROM audit_logs"] {
        assert!(!app.db().rows(sql, []).to_string().contains(&token), "{sql}");
    }
    app.wait(HOUR / 2);
    reset(&app, &token, NEW_PASSWORD).expect_detail(400, "Invalid or expired token");
    app.try_login("user@example.com", PASSWORD).expect_status(200);
}

#[test]
fn a_token_is_good_for_one_purpose_one_account_and_one_address() {
    let app = start();
    let (_, tokens) = app.logged_in("user@example.com");
    app.register("other@example.com");
    let token = token(&app, "user@example.com");
    app.post("/auth/email/verify").json(&json!({"token": token})).send().expect_detail(400, "Invalid or expired token");
    for wrong in ["", "nonsense", &token[1..], &format!("{token}=")] {
        reset(&app, wrong, NEW_PASSWORD).expect_detail(400, "Invalid or expired token");
    }
    let body = json!({"email": "new@example.com", "current_password": PASSWORD});
    app.request("PATCH", "/users/me").bearer(&tokens.access).json(&body).send().expect_status(200);
    reset(&app, &token, NEW_PASSWORD).expect_detail(400, "Invalid or expired token");
    app.try_login("other@example.com", PASSWORD).expect_status(200);
}

#[test]
fn a_token_ends_with_a_change_of_password_and_with_a_deactivation() {
    let app = start();
    let (user, tokens) = app.logged_in("user@example.com");
    let (_, admin) = app.admin("admin@example.com");
    let old = token(&app, "user@example.com");
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    app.post("/users/me/password").bearer(&tokens.access).json(&body).send().expect_status(204);
    reset(&app, &old, PASSWORD).expect_detail(400, "Invalid or expired token");

    let old = token(&app, "user@example.com");
    let patch = |value: bool| {
        let path = format!("/admin/users/{}", user.id);
        app.request("PATCH", &path).bearer(&admin.access).json(&json!({"is_active": value})).send().expect_status(200);
    };
    patch(false);
    reset(&app, &old, PASSWORD).expect_detail(400, "Invalid or expired token");
    patch(true);
    reset(&app, &old, PASSWORD).expect_detail(400, "Invalid or expired token");
}

#[test]
fn the_new_password_is_checked_before_the_token_is_used() {
    let app = start();
    app.register("user@example.com");
    let token = token(&app, "user@example.com");
    for password in ["2tiny!", &"x".repeat(101)] {
        let reply = reset(&app, &token, password).expect_status(422);
        assert_eq!(reply.json()["detail"][0]["loc"], json!(["body", "new_password"]));
        assert!(!reply.text().contains(&token) && !reply.text().contains(password), "{reply}");
    }
    reset(&app, &token, NEW_PASSWORD).expect_status(204);
}

#[test]
fn an_account_gets_three_messages_an_hour() {
    let app = start();
    app.register("user@example.com");
    app.register("other@example.com");
    for _ in 0..5 {
        forgot(&app, "user@example.com").expect_status(202);
    }
    assert_eq!(app.messages().len(), 3);
    let last = app.token_of("password.reset", "user@example.com");
    forgot(&app, "other@example.com").expect_status(202);
    assert_eq!(app.messages().len(), 4);
    // The refused ones end no token.
    reset(&app, &last, NEW_PASSWORD).expect_status(204);
    app.wait(HOUR);
    token(&app, "user@example.com");
}

#[test]
fn a_network_can_ask_sixty_times_within_a_quarter_of_an_hour() {
    let app = start();
    for number in 0..60 {
        forgot(&app, &format!("user{number}@example.com")).expect_status(202);
    }
    let reply = forgot(&app, "user@example.com").expect_status(429);
    assert_eq!(reply.header("retry-after"), Some("900"));
    reset(&app, "nonsense", NEW_PASSWORD).expect_status(429);
    app.wait(Duration::from_secs(900));
    forgot(&app, "user@example.com").expect_status(202);
}

#[test]
fn a_reset_forgets_the_failed_logins() {
    let app = start();
    app.register("user@example.com");
    for _ in 0..10 {
        app.try_login("user@example.com", "a wrong password").expect_status(401);
    }
    app.try_login("user@example.com", PASSWORD).expect_status(429);
    let token = token(&app, "user@example.com");
    reset(&app, &token, NEW_PASSWORD).expect_status(204);
    app.try_login("user@example.com", NEW_PASSWORD).expect_status(200);
}

#[test]
fn without_mail_only_administrators_make_tokens() {
    let app = TestApp::with(&[("password_reset_expire_minutes", "5")]);
    let (user, _) = app.logged_in("user@example.com");
    let (_, admin) = app.admin("admin@example.com");
    forgot(&app, "user@example.com").expect_detail(404, "Not Found");
    let document = app.get("/openapi.json").send().json();
    assert!(document["paths"]["/auth/password/forgot"].is_null());
    assert!(document["paths"]["/auth/password/reset"].is_object());

    let path = format!("/admin/users/{}/password-reset", user.id);
    let issue = || app.post(&path).bearer(&admin.access).send().expect_status(201);
    let former = issue().field("token");
    let reply = issue();
    assert_eq!((&reply.json()["url"], reply.header("cache-control")), (&Value::Null, Some("no-store")));
    assert_eq!(reply.field("expires_at"), app.now().after(Duration::from_secs(300)).to_rfc3339());
    reset(&app, &former, NEW_PASSWORD).expect_status(400);
    reset(&app, &reply.field("token"), NEW_PASSWORD).expect_status(204);
    app.try_login("user@example.com", NEW_PASSWORD).expect_status(200);
    assert_eq!(app.db().value("SELECT count(*) FROM outbox", []), 0, "nobody would deliver it");
    app.post("/admin/users/99/password-reset").bearer(&admin.access).send().expect_detail(404, "User not found");
    assert!(audit(&app, "user_password_reset").to_string().contains("Token to reset the password of user 1 created"));
}

#[test]
fn deleting_an_account_ends_its_tokens_and_messages() {
    let app = start();
    let (_, tokens) = app.logged_in("user@example.com");
    app.hold_messages();
    forgot(&app, "user@example.com").expect_status(202);
    app.db().execute("UPDATE outbox SET user_id = 1, token = 'a token'", []);
    let body = json!({"current_password": PASSWORD});
    app.request("DELETE", "/users/me").bearer(&tokens.access).json(&body).send().expect_status(204);
    let left = "SELECT (SELECT count(*) FROM one_time_tokens) +
                       (SELECT count(*) FROM outbox WHERE token IS NOT NULL OR next_attempt_at IS NOT NULL)";
    assert_eq!(app.db().value(left, []), 0);
}

#[test]
fn a_new_password_ends_a_change_of_address_that_is_not_verified() {
    let app = start().restart_with(&[("email_verification", "on")]);
    let (account, _) = app.logged_in("user@example.com");
    for reset_by_mail in [true, false] {
        let password = if reset_by_mail { PASSWORD } else { NEW_PASSWORD };
        let login = json!({"email": account.email, "password": password});
        let thief = app.post("/auth/login").json(&login).send().expect_status(200).field("access_token");
        let change = json!({"email": "thief@example.com", "current_password": password});
        app.request("PATCH", "/users/me").bearer(&thief).json(&change).send().expect_status(202);
        let to_thief = app.token_of("email.verify", "thief@example.com");
        if reset_by_mail {
            let token = token(&app, "user@example.com");
            reset(&app, &token, NEW_PASSWORD).expect_status(204);
        } else {
            let body = json!({"current_password": NEW_PASSWORD, "new_password": PASSWORD});
            app.post("/users/me/password").bearer(&thief).json(&body).send().expect_status(204);
        }
        let verify = json!({"token": to_thief});
        app.post("/auth/email/verify").json(&verify).send().expect_detail(400, "Invalid or expired token");
    }
}

#[test]
fn an_address_gets_three_messages_an_hour_whatever_happens_to_its_accounts() {
    let app = TestApp::with(&[("mail", "log"), ("email_verification", "on")]);
    let sent = |kind: &str| app.messages().iter().filter(|message| message["type"] == kind).count();
    for _ in 0..5 {
        let (_, tokens) = app.logged_in("victim@example.com");
        let body = json!({"current_password": PASSWORD});
        app.request("DELETE", "/users/me").bearer(&tokens.access).json(&body).send().expect_status(204);
    }
    assert_eq!(sent("email.verify"), 3);
    let (_, tokens) = app.logged_in("victim@example.com");
    for _ in 0..5 {
        let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
        app.post("/users/me/password").bearer(&tokens.access).json(&body).send().expect_status(204);
    }
    assert_eq!(sent("password.changed"), 3);
}
