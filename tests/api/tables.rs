//! The rows that requests write, in the format of the Python server.

use serde_json::{Value, json};

use crate::support::{Database, PASSWORD, TestApp, is_sql_time};

/// Asserts that every value of a query is a timestamp as SQLAlchemy writes it.
#[track_caller]
fn expect_times(db: &Database, sql: &str) {
    let rows = db.rows(sql, []);
    let values: Vec<&Value> = rows.as_array().expect("rows").iter().filter_map(Value::as_array).flatten().collect();
    assert!(!values.is_empty() && values.iter().all(|value| is_sql_time(value)), "{sql}: {rows}");
}

#[test]
fn register_writes_the_account() {
    let app = TestApp::with(&[("bcrypt_cost", "10")]);
    let account = app.register("user@example.com");
    let db = app.db();
    assert_eq!(
        db.rows("SELECT id, email, is_active, is_admin, typeof(is_active), typeof(created_at) FROM users", []),
        json!([[account.id, "user@example.com", 1, 0, "integer", "text"]])
    );
    expect_times(&db, "SELECT created_at, updated_at FROM users");
    let hash = db.value("SELECT hashed_password FROM users", []);
    let hash = hash.as_str().expect("a text");
    assert!(hash.starts_with("$2b$10$") && hash.len() == 60, "{hash}");
    assert_eq!(db.value("SELECT count(*) FROM sessions", []), 0);
}

#[test]
fn the_same_password_is_hashed_with_different_salts() {
    let app = TestApp::start();
    app.register("one@example.com");
    app.register("two@example.com");
    assert_eq!(app.db().value("SELECT count(DISTINCT hashed_password) FROM users", []), 2);
}

#[test]
fn login_writes_a_session() {
    let app = TestApp::start();
    let (account, _) = app.logged_in("user@example.com");
    let db = app.db();
    assert_eq!(
        db.rows("SELECT user_id, is_valid, length(access_token_jti), length(refresh_token_jti) FROM sessions", []),
        json!([[account.id, 1, 36, 36]])
    );
    expect_times(&db, "SELECT created_at, expires_at FROM sessions");
}

#[test]
fn refresh_ends_one_session_and_writes_the_next() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    app.refresh(&tokens.refresh);
    assert_eq!(
        app.db().rows("SELECT user_id, is_valid FROM sessions ORDER BY id", []),
        json!([[account.id, 0], [account.id, 1]])
    );
}

#[test]
fn successes_and_failures_are_audited() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    app.try_login("user@example.com", "wrong password").expect_status(401);
    app.refresh(&tokens.refresh);
    let id = account.id;
    let rows = app.db().rows("SELECT user_id, action, resource FROM audit_logs ORDER BY id", []);
    assert_eq!(
        rows,
        json!([
            [id, "register", "user"],
            [id, "login", "session"],
            [id, "login_failed", "session"],
            [id, "refresh", "session"]
        ])
    );
    assert_eq!(
        app.db().rows("SELECT resource_id, details FROM audit_logs WHERE action = 'register'", []),
        json!([[id.to_string(), "User registered: user@example.com"]])
    );
    assert_eq!(
        app.db().rows("SELECT details FROM audit_logs WHERE action = 'login'", []),
        json!([["User logged in: user@example.com"]])
    );
    expect_times(&app.db(), "SELECT created_at FROM audit_logs");
}

#[test]
fn audit_rows_contain_address_and_user_agent() {
    let app = TestApp::start();
    let body = json!({"email": "user@example.com", "password": PASSWORD});
    app.post("/auth/register").header("user-agent", "golden-agent/1.0").json(&body).send().expect_status(201);
    assert_eq!(
        app.db().rows("SELECT ip_address, user_agent FROM audit_logs", []),
        json!([["127.0.0.1", "golden-agent/1.0"]])
    );
}

#[test]
fn the_clients_address_is_taken_from_the_trusted_proxy() {
    let app = TestApp::with(&[("client_ip_header", "x-forwarded-for")]);
    let body = json!({"email": "user@example.com", "password": PASSWORD});
    // The proxy appends the address it sees; the client can forge those before it.
    app.post("/auth/register")
        .header("x-forwarded-for", "198.51.100.1, 203.0.113.9")
        .json(&body)
        .send()
        .expect_status(201);
    assert_eq!(app.db().value("SELECT ip_address FROM audit_logs", []), "203.0.113.9");
}

#[test]
fn no_password_is_stored_or_logged() {
    let app = TestApp::start();
    app.logged_in("user@example.com");
    app.try_login("user@example.com", "a wrong but telling password").expect_status(401);
    let audit = app.db().rows("SELECT * FROM audit_logs", []).to_string();
    for text in [audit, app.log(), app.db().rows("SELECT * FROM users", []).to_string()] {
        assert!(!text.contains(PASSWORD) && !text.contains("telling"), "{text}");
    }
}

#[test]
fn sql_in_an_address_is_not_executed() {
    let app = TestApp::start();
    app.register("user@example.com");
    app.try_login("x'; DROP TABLE users; --@example.com", PASSWORD).expect_status(422);
    app.try_login("x'or'1'='1@example.com", PASSWORD).expect_status(401);
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 1);
}
