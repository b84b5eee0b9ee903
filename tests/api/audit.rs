//! The audit log, and `GET /admin/audit-logs`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, Tokens};

/// Requests a page of the log.
#[track_caller]
fn page(app: &TestApp, admin: &Tokens, query: &str) -> Value {
    let reply = app.get(&format!("/admin/audit-logs?{query}")).bearer(&admin.access).send().expect_status(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

#[track_caller]
fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().expect("a list").iter().map(|item| item["id"].as_i64().expect("an id")).collect()
}

#[test]
fn a_row_has_actor_action_time_and_client() {
    let app = TestApp::start();
    let (account, admin) = app.admin("admin@example.com");
    let item = page(&app, &admin, "action=login")["items"][0].clone();
    let time = item["created_at"].as_str().expect("a text");
    assert!(time.contains('T') && time.ends_with('Z'), "{time}");
    assert_eq!(
        item,
        json!({
            "id": 2, "user_id": account.id, "action": "login", "resource": "session", "resource_id": null,
            "details": "User logged in: admin@example.com", "ip_address": "127.0.0.1", "user_agent": item["user_agent"],
            "created_at": time
        })
    );
    assert!(item["user_agent"].as_str().is_some_and(|agent| agent == "test-client/1.0"), "{item}");
}

#[test]
fn the_log_is_filtered() {
    let app = TestApp::start();
    let (_, admin) = app.admin("admin@example.com");
    let (user, tokens) = app.logged_in("user@example.com");
    app.refresh(&tokens.refresh);
    app.try_login("user@example.com", "wrong password").expect_status(401);
    for (line, day) in [(1, 1), (2, 2), (3, 3)] {
        let sql = format!("UPDATE audit_logs SET created_at = '2026-01-{day:02} 12:00:00.000000' WHERE id = {line}");
        app.db().execute(&sql, []);
    }
    for (query, expected) in [
        ("", vec![6, 5, 4, 3, 2, 1]),
        (&format!("user_id={}", user.id), vec![6, 5, 4, 3]),
        ("user_id=99", vec![]),
        ("action=login", vec![4, 2]),
        ("action=login_failed", vec![6]),
        ("action=Login", vec![]),
        (&format!("action=login&user_id={}", user.id), vec![4]),
        ("since=2026-01-02T12:00:00Z&until=2026-01-03T12:00:00Z", vec![2]),
        ("since=2026-01-02T13:00:00%2B01:00&until=2026-02-01", vec![3, 2]),
        ("since=2026-01-02T12:00:00.000001Z&until=2026-02-01", vec![3]),
        ("until=2026-01-02T12:00:00", vec![1]),
        ("before=3", vec![2, 1]),
        ("before=3&action=register", vec![1]),
        ("user_id=&action=&since=&until=&limit=&before=", vec![6, 5, 4, 3, 2, 1]),
    ] {
        assert_eq!(ids(&page(&app, &admin, query)), expected, "{query}");
    }
    for query in ["since=yesterday", "until=1e99", "limit=0", "limit=201", "before=x", "user_id=me"] {
        let reply = app.get(&format!("/admin/audit-logs?{query}")).bearer(&admin.access).send().expect_status(422);
        assert_eq!(reply.json()["detail"][0]["loc"][0], "query", "{query}");
    }
}

#[test]
fn pages_are_stable_while_rows_are_written() {
    let app = TestApp::start();
    let (_, admin) = app.admin("admin@example.com");
    app.db().execute_all(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 498)
         INSERT INTO audit_logs (action, resource, created_at)
         SELECT 'login', 'session', '2026-01-01 00:00:00.000000' FROM n",
    );
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = page(&app, &admin, &format!("limit=50&before={before}"));
        seen.extend(ids(&page));
        let Some(next) = page["next_before"].as_i64() else { break };
        assert_eq!(ids(&page).last(), Some(&next));
        before = next.to_string();
        app.try_login("nobody@example.com", PASSWORD).expect_status(401);
    }
    assert_eq!(seen, (1..=500).rev().collect::<Vec<_>>());
}

#[test]
fn every_action_is_logged() {
    let app = TestApp::start();
    let (_, admin) = app.admin("admin@example.com");
    let (user, first) = app.logged_in("user@example.com");
    app.try_login(&user.email, "wrong password").expect_status(401);
    let second = app.refresh(&first.refresh);
    app.db().execute("UPDATE sessions SET rotated_at = '2026-01-01 00:00:00.000000' WHERE rotated_at <> ''", []);
    app.try_refresh(&first.refresh).expect_status(401);
    app.try_refresh(&second.refresh).expect_status(401);

    let of_user = |method: &str, path: &str, body: Value, status| {
        let tokens = app.login(&user);
        app.request(method, path).bearer(&tokens.access).json(&body).send().expect_status(status);
    };
    let new_password = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    of_user("POST", "/auth/logout", json!({}), 204);
    of_user("POST", "/auth/logout-all", json!({}), 204);
    of_user("POST", "/users/me/password", new_password, 204);
    of_user("PATCH", "/users/me", json!({"email": user.email, "current_password": PASSWORD}), 200);
    of_user("DELETE", "/users/me/sessions/99", json!({}), 404);
    of_user("DELETE", "/users/me", json!({"current_password": PASSWORD}), 204);

    let of_admin = |method: &str, path: &str, body: Value, status| {
        app.request(method, path).bearer(&admin.access).json(&body).send().expect_status(status).json_or_null()
    };
    let body = json!({"email": "made@example.com", "password": PASSWORD});
    let made = of_admin("POST", "/admin/users", body, 201)["id"].clone();
    of_admin("PATCH", &format!("/admin/users/{made}"), json!({"is_active": false}), 200);
    of_admin("DELETE", &format!("/admin/users/{made}"), json!({}), 204);

    let actions = app.db().rows("SELECT DISTINCT action FROM audit_logs", []);
    let actions: BTreeSet<&str> = actions.as_array().expect("rows").iter().filter_map(|row| row[0].as_str()).collect();
    let expected = [
        "account_delete",
        "email_change",
        "login",
        "login_failed",
        "logout",
        "logout_all",
        "password_change",
        "refresh",
        "refresh_reuse",
        "register",
        "session_revoke",
        "user_create",
        "user_delete",
        "user_update",
    ];
    assert_eq!(actions, expected.into_iter().collect());
    // All of them are documented.
    let document = app.get("/openapi.json").send().text();
    assert!(expected.iter().all(|action| document.contains(&format!("\"{action}\""))));
}

#[test]
fn a_refused_registration_is_rolled_back_and_logged() {
    let app = TestApp::start();
    app.register("user@example.com");
    app.try_register("user@example.com").expect_status(400);
    let sql = "SELECT user_id, resource_id, details, ip_address FROM audit_logs WHERE action = 'register'";
    assert_eq!(
        app.db().rows(sql, []),
        json!([
            [1, "1", "User registered: user@example.com", "127.0.0.1"],
            [null, null, "Refused: Email already registered: user@example.com", "127.0.0.1"]
        ])
    );
}

#[test]
fn a_repeated_refusal_has_ten_rows_and_then_one_a_minute() {
    let app = TestApp::with(&[("throttle", "off")]);
    app.register("user@example.com");
    let refuse = || drop(app.try_register("user@example.com").expect_status(400));
    let rows = || app.db().rows("SELECT details FROM audit_logs WHERE id > 1 ORDER BY id", []);
    let refused = "Refused: Email already registered: user@example.com";
    (0..10).for_each(|_| refuse());
    assert_eq!(rows(), json!(vec![[refused]; 10]));
    (0..90).for_each(|_| refuse());
    assert_eq!(rows()[9], json!([format!("{refused} (91 times)")]));
    assert_eq!(rows().as_array().map(Vec::len), Some(10));

    // For an hour, beside refusals of another kind.
    for number in 0..1800 {
        app.wait(Duration::from_secs(2));
        refuse();
        if number % 180 == 0 {
            app.try_login("other@example.com", PASSWORD).expect_status(401);
        }
    }
    let number = |sql: &str| app.db().value(sql, []).as_i64().expect("a number");
    let added = number("SELECT count(*) - 11 FROM audit_logs WHERE action = 'register'");
    assert!((59..=61).contains(&added), "{added} rows in an hour");
    assert_eq!(number("SELECT count(*) FROM audit_logs WHERE action = 'login_failed'"), 10);
    let total = "SELECT sum(iif(details LIKE '%times)', CAST(substr(details, length(?1) + 3) AS INTEGER), 1))
                 FROM audit_logs WHERE details LIKE ?1 || '%'";
    assert_eq!(app.db().value(total, [refused]), 100 + 1800);
}

#[test]
fn refusals_for_another_address_or_account_are_counted_apart() {
    let app = TestApp::with(&[("throttle", "off"), ("client_ip_header", "x-forwarded-for")]);
    let cases = [("192.0.2.1", "a@example.com"), ("192.0.2.2", "a@example.com"), ("192.0.2.1", "b@example.com")];
    app.register("a@example.com");
    app.register("b@example.com");
    for _ in 0..12 {
        for (address, email) in cases {
            let body = json!({"email": email, "password": PASSWORD});
            app.post("/auth/register").header("x-forwarded-for", address).json(&body).send().expect_status(400);
        }
    }
    let rows = "SELECT ip_address, details FROM audit_logs WHERE details LIKE '%times)' ORDER BY id";
    let counted = |(address, email)| json!([address, format!("Refused: Email already registered: {email} (3 times)")]);
    assert_eq!(app.db().rows(rows, []), json!(cases.map(counted)));
}

#[test]
fn control_characters_in_client_headers_are_escaped() {
    let app = TestApp::start();
    let body = json!({"email": "user@example.com", "password": PASSWORD});
    app.post("/auth/register").header("user-agent", "lamp\tforged").json(&body).send().expect_status(201);
    assert_eq!(app.db().value("SELECT user_agent FROM audit_logs", []), r"lamp\tforged");
}

#[test]
fn nothing_is_committed_if_the_audit_row_cannot_be_written() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    app.db().execute_all("CREATE TRIGGER full BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'full'); END");
    app.post("/auth/logout").bearer(&tokens.access).send().expect_detail(500, "Internal Server Error");
    app.try_refresh(&tokens.refresh).expect_status(500);
    app.try_register("other@example.com").expect_status(500);
    app.db().execute_all("DROP TRIGGER full");
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    app.refresh(&tokens.refresh);
    assert_eq!(app.db().rows("SELECT id FROM users", []), json!([[account.id]]));
}
