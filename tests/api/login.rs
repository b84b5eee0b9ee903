//! `POST /auth/login`.

use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[test]
fn login_success() {
    let app = TestApp::start();
    app.register("user@example.com");
    let reply = app.try_login("user@example.com", PASSWORD);
    let (access, refresh) = (reply.field("access_token"), reply.field("refresh_token"));
    assert_ne!(access, refresh);
    let reply = reply.expect(200, &json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer"}));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn login_unknown_email() {
    let app = TestApp::start();
    let reply = app.try_login("nobody@example.com", PASSWORD).expect_detail(401, "Incorrect email or password");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn login_wrong_password() {
    let app = TestApp::start();
    app.register("user@example.com");
    let last = PASSWORD.len() - 1;
    for wrong in ["", &PASSWORD[..last], &PASSWORD.to_uppercase(), &format!(" {PASSWORD}"), &format!("{PASSWORD}\0")] {
        let reply = app.try_login("user@example.com", wrong).expect_detail(401, "Incorrect email or password");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(app.db().value("SELECT count(*) FROM sessions", []), 0);
}

#[test]
fn login_inactive_account() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.db().execute("UPDATE users SET is_active = 0 WHERE id = ?1", [account.id]);
    app.try_login("user@example.com", PASSWORD).expect_detail(403, "Account is inactive");
    // The account's state is revealed only after the right password.
    app.try_login("user@example.com", "wrong password").expect_detail(401, "Incorrect email or password");
    assert_eq!(app.db().value("SELECT count(*) FROM sessions", []), 0);
}

#[test]
fn login_with_the_address_in_another_spelling() {
    let app = TestApp::start();
    app.register("user@example.com");
    app.try_login(" user@EXAMPLE.com ", PASSWORD).expect_status(200);
    app.try_login("USER@example.com", PASSWORD).expect_status(401);
}

#[test]
fn login_missing_fields() {
    let app = TestApp::start();
    let reply = app.post("/auth/login").json(&json!({"email": "user@example.com"})).send().expect_status(422);
    assert_eq!(reply.json()["detail"][0]["loc"], json!(["body", "password"]));
}

#[test]
fn login_twice_opens_two_sessions() {
    let app = TestApp::start();
    let (account, first) = app.logged_in("user@example.com");
    let second = app.login(&account);
    assert_ne!(first.refresh, second.refresh);
    app.refresh(&first.refresh);
    app.refresh(&second.refresh);
    assert_eq!(app.db().value("SELECT count(*) FROM sessions WHERE is_valid = 1", []), 2);
}

#[test]
fn login_renews_an_outdated_hash() {
    let app = TestApp::with(&[("bcrypt_cost", "11")]);
    let account = app.register("user@example.com");
    let cost = |app: &TestApp| app.db().value("SELECT substr(hashed_password, 1, 7) FROM users", []);
    assert_eq!(cost(&app), "$2b$11$");
    let app = app.restart_with(&[("bcrypt_cost", "10")]);
    app.try_login(&account.email, "wrong password").expect_status(401);
    assert_eq!(cost(&app), "$2b$11$");
    app.login(&account);
    assert_eq!(cost(&app), "$2b$10$");
    app.login(&account);
}

#[test]
fn login_with_a_hash_of_the_python_server() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    // Prefixes of older libraries for the same algorithm.
    for prefix in ["$2a$", "$2y$"] {
        app.db().execute("UPDATE users SET hashed_password = ?1 || substr(hashed_password, 5)", [prefix]);
        app.login(&account);
    }
    for unreadable in ["", "not a hash", "$2b$10$short"] {
        app.db().execute("UPDATE users SET hashed_password = ?1", [unreadable]);
        app.try_login(&account.email, PASSWORD).expect_detail(401, "Incorrect email or password");
    }
}
