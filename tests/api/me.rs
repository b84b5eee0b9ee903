//! `/users/me`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Account, PASSWORD, Reply, TestApp, Tokens, claims};

const OTHER_PASSWORD: &str = "another horse, another staple";

#[track_caller]
fn change_email(app: &TestApp, tokens: &Tokens, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "current_password": password});
    app.request("PATCH", "/users/me").bearer(&tokens.access).json(&body).send()
}

#[track_caller]
fn change_password(app: &TestApp, tokens: &Tokens, current: &str, new: &str) -> Reply {
    let body = json!({"current_password": current, "new_password": new});
    app.post("/users/me/password").bearer(&tokens.access).json(&body).send()
}

#[track_caller]
fn delete(app: &TestApp, tokens: &Tokens, password: &str) -> Reply {
    let body = json!({"current_password": password});
    app.request("DELETE", "/users/me").bearer(&tokens.access).json(&body).send()
}

fn audit(app: &TestApp, action: &str) -> Value {
    let sql = "SELECT user_id, resource, resource_id, details FROM audit_logs WHERE action = ?1 ORDER BY id";
    app.db().rows(sql, [action])
}

/// Asserts that the audit log has one row of this action, for a refused attempt of `account`.
#[track_caller]
fn expect_refusal(app: &TestApp, action: &str, account: &Account, detail: &str) {
    let details = format!("Refused: {detail}: {}", account.email);
    assert_eq!(audit(app, action), json!([[account.id, "user", account.id.to_string(), details]]));
}

#[test]
fn me_returns_the_account_as_registration_did() {
    let app = TestApp::start();
    let mut registered = app.try_register("user@example.com").json();
    registered["email_verified"] = json!(false);
    let tokens = Tokens::of(&app.try_login("user@example.com", PASSWORD));
    let reply = app.get("/users/me").bearer(&tokens.access).send().expect(200, &registered);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn the_address_can_be_changed_with_the_password() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let reply = change_email(&app, &tokens, " new@EXAMPLE.com ", PASSWORD).expect_status(200);
    assert_eq!((&reply.json()["id"], reply.field("email").as_str()), (&json!(account.id), "new@example.com"));
    assert_eq!(app.get("/users/me").bearer(&tokens.access).send().json(), reply.json());
    app.try_login("user@example.com", PASSWORD).expect_status(401);
    app.try_login("new@example.com", PASSWORD).expect_status(200);
    let details = "Email changed: user@example.com to new@example.com";
    assert_eq!(audit(&app, "email_change"), json!([[account.id, "user", account.id.to_string(), details]]));
    // The new address is taken and the old one is free.
    app.try_register("new@example.com").expect_detail(400, "Email already registered");
    app.register("user@example.com");
}

#[test]
fn changing_to_a_taken_address_is_refused() {
    let app = TestApp::start();
    app.register("taken@example.com");
    let (account, tokens) = app.logged_in("user@example.com");
    change_email(&app, &tokens, "taken@example.com", PASSWORD).expect_detail(400, "Email already registered");
    expect_refusal(&app, "email_change", &account, "Email already registered");
    assert_eq!(app.get("/users/me").bearer(&tokens.access).send().field("email"), "user@example.com");
    // The account's own address is not a conflict.
    change_email(&app, &tokens, "user@example.com", PASSWORD).expect_status(200);
}

#[test]
fn a_wrong_password_changes_nothing() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let before = app.db().rows("SELECT * FROM users", []);
    let wrong = "not the password";
    change_email(&app, &tokens, "new@example.com", wrong).expect_detail(400, "Incorrect password");
    change_password(&app, &tokens, wrong, OTHER_PASSWORD).expect_detail(400, "Incorrect password");
    delete(&app, &tokens, wrong).expect_detail(400, "Incorrect password");
    assert_eq!(app.db().rows("SELECT * FROM users", []), before);
    for action in ["email_change", "password_change", "account_delete"] {
        expect_refusal(&app, action, &account, "Incorrect password");
    }
    let log = app.db().rows("SELECT * FROM audit_logs", []).to_string();
    assert!(!log.contains(wrong) && !log.contains(OTHER_PASSWORD), "{log}");
}

#[test]
fn changing_the_password_ends_all_other_sessions() {
    let app = TestApp::start();
    let (account, here) = app.logged_in("user@example.com");
    let there = app.login(&account);
    app.wait(Duration::from_secs(1));
    change_password(&app, &here, PASSWORD, OTHER_PASSWORD).expect_status(204);
    app.get("/users/me").bearer(&here.access).send().expect_status(200);
    app.get("/users/me").bearer(&there.access).send().expect_detail(401, "Invalid or expired access token");
    app.try_refresh(&there.refresh).expect_status(401);
    app.refresh(&here.refresh);
    app.try_login(&account.email, PASSWORD).expect_status(401);
    app.try_login(&account.email, OTHER_PASSWORD).expect_status(200);
    let details = "Password changed, other sessions ended (1): user@example.com";
    assert_eq!(audit(&app, "password_change"), json!([[account.id, "user", account.id.to_string(), details]]));
    let moved = "SELECT updated_at > created_at FROM users";
    assert_eq!(app.db().value(moved, []), 1);
}

#[test]
fn a_password_change_can_replace_the_calling_session() {
    let app = TestApp::start();
    let (account, stolen) = app.logged_in("user@example.com");
    let here = app.refresh(&stolen.refresh);
    let there = app.login(&account);
    app.wait(Duration::from_secs(60));
    let change = |query: &str, tokens: &Tokens, current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        app.post(&format!("/users/me/password{query}")).bearer(&tokens.access).json(&body).send()
    };
    change("?rotate=perhaps", &here, PASSWORD, OTHER_PASSWORD).expect_status(422);
    change("?rotate=true", &here, "wrong", OTHER_PASSWORD).expect_detail(400, "Incorrect password");
    app.get("/users/me").bearer(&here.access).send().expect_status(200);
    let reply = change("?rotate=true", &here, PASSWORD, OTHER_PASSWORD).expect_status(200);
    assert_eq!((reply.field("token_type"), reply.header("cache-control")), ("bearer".to_owned(), Some("no-store")));
    let new = Tokens::of(&reply);
    for former in [&stolen, &here, &there] {
        app.get("/users/me").bearer(&former.access).send().expect_detail(401, "Invalid or expired access token");
        app.try_refresh(&former.refresh).expect_status(401);
    }
    let sessions = app.get("/users/me/sessions").bearer(&new.access).send().expect_status(200).json();
    assert_eq!((sessions.as_array().map(Vec::len), &sessions[0]["current"]), (Some(1), &json!(true)));
    let rows = audit(&app, "password_change");
    let details = "Password changed, sessions ended (2), a new one begun: user@example.com";
    assert_eq!(rows[rows.as_array().expect("rows").len() - 1][3], details);
    // The lifetime begins anew: the password was checked.
    let end = claims(&new.refresh)["exp"].as_i64().expect("a time");
    assert_eq!(end, app.now().unix() + 7 * 24 * 60 * 60);
    change("?rotate=false", &app.refresh(&new.refresh), OTHER_PASSWORD, PASSWORD).expect_status(204);
}

#[test]
fn a_new_password_is_validated_and_not_echoed() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let reply = change_password(&app, &tokens, PASSWORD, "short").expect_status(422);
    let fault = &reply.json()["detail"][0];
    assert_eq!((&fault["type"], &fault["loc"]), (&json!("string_too_short"), &json!(["body", "new_password"])));
    change_password(&app, &tokens, PASSWORD, &"x".repeat(101)).expect_status(422);
    let reply = change_password(&app, &tokens, PASSWORD, "tooshrt").expect_status(422);
    assert!(!reply.text().contains("tooshrt") && !reply.text().contains(PASSWORD), "{reply}");
}

#[test]
fn a_deleted_account_cannot_be_used_again() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let other = app.login(&account);
    delete(&app, &tokens, PASSWORD).expect_status(204);
    for token in [&tokens.access, &other.access] {
        app.get("/users/me").bearer(token).send().expect_detail(401, "User not found");
    }
    app.try_refresh(&tokens.refresh).expect_status(401);
    app.try_login(&account.email, PASSWORD).expect_status(401);
    assert_eq!(app.db().value("SELECT count(*) FROM sessions", []), 0);
    let details = "Account deleted: user@example.com";
    assert_eq!(audit(&app, "account_delete"), json!([[account.id, "user", account.id.to_string(), details]]));

    // The address is free again; the id is not reused, and the old tokens are invalid.
    let newcomer = app.register("user@example.com");
    assert!(newcomer.id > account.id);
    app.get("/users/me").bearer(&tokens.access).send().expect_detail(401, "User not found");
    app.try_refresh(&tokens.refresh).expect_status(401);
}

#[test]
fn the_last_active_administrator_cannot_delete_itself() {
    let app = TestApp::start();
    let (account, tokens) = app.admin("admin@example.com");
    let (other, _) = app.admin("other@example.com");
    app.db().execute("UPDATE users SET is_active = 0 WHERE id = ?1", [other.id]);
    delete(&app, &tokens, PASSWORD).expect_detail(409, "Last active admin");
    expect_refusal(&app, "account_delete", &account, "Last active admin");
    app.db().execute("UPDATE users SET is_active = 1 WHERE id = ?1", [other.id]);
    delete(&app, &tokens, PASSWORD).expect_status(204);
}

#[test]
fn users_cannot_make_themselves_administrators() {
    let app = TestApp::start();
    let body =
        json!({"email": "user@example.com", "password": PASSWORD, "is_admin": true, "is_active": false, "id": 99});
    let reply = app.post("/auth/register").json(&body).send().expect_status(201);
    assert_eq!((&reply.json()["is_admin"], &reply.json()["is_active"]), (&json!(false), &json!(true)));
    let tokens = Tokens::of(&app.try_login("user@example.com", PASSWORD));
    let before = app.db().rows("SELECT id, email, hashed_password, is_active, is_admin, created_at FROM users", []);
    let body = json!({
        "email": "user@example.com", "current_password": PASSWORD,
        "is_admin": true, "is_active": false, "id": 99, "hashed_password": "x", "created_at": "2000-01-01 00:00:00"
    });
    app.request("PATCH", "/users/me").bearer(&tokens.access).json(&body).send().expect_status(200);
    let after = app.db().rows("SELECT id, email, hashed_password, is_active, is_admin, created_at FROM users", []);
    assert_eq!(after, before);
}

#[test]
fn deleting_a_referenced_account_needs_on_delete_cascade() {
    for (on_delete, status) in [("", 409), ("ON DELETE CASCADE", 204)] {
        let app = TestApp::start();
        let (account, tokens) = app.logged_in("user@example.com");
        app.db().execute_all(&format!("CREATE TABLE notes (user_id INTEGER REFERENCES users (id) {on_delete})"));
        app.db().execute("INSERT INTO notes VALUES (?1)", [account.id]);
        let reply = delete(&app, &tokens, PASSWORD).expect_status(status);
        let rows = app.db().rows("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM notes)", []);
        if status == 204 {
            assert_eq!(rows, json!([[0, 0]]));
        } else {
            reply.expect_detail(409, "User is still referenced");
            assert_eq!(rows, json!([[1, 1]]));
            expect_refusal(&app, "account_delete", &account, "User is still referenced");
            app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
        }
    }
}
