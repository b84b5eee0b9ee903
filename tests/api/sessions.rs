//! `/users/me/sessions`, and the life of a session over refreshes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Account, SECRET, TestApp, Tokens, mint};

/// Lists the sessions of a token's owner.
#[track_caller]
fn list(app: &TestApp, access_token: &str) -> Vec<Value> {
    let reply = app.get("/users/me/sessions").bearer(access_token).send().expect_status(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json().as_array().expect("a list").clone()
}

fn ids(sessions: &[Value]) -> Vec<i64> {
    sessions.iter().map(|session| session["id"].as_i64().expect("an id")).collect()
}

#[track_caller]
fn is_open(app: &TestApp, tokens: &Tokens) -> bool {
    let reply = app.get("/users/me").bearer(&tokens.access).send();
    if reply.status() == 401 {
        reply.expect_detail(401, "Invalid or expired access token");
        return false;
    }
    reply.expect_status(200);
    true
}

/// Moves the last use of the refresh token `seconds` into the past.
fn let_pass(app: &TestApp, seconds: u32) {
    let sql =
        "UPDATE sessions SET rotated_at = strftime('%Y-%m-%d %H:%M:%f000', rotated_at, ?1) WHERE rotated_at <> ''";
    assert!(app.db().execute(sql, [format!("-{seconds} seconds")]) > 0);
}

fn audit(app: &TestApp, action: &str) -> Value {
    app.db().rows("SELECT user_id, resource_id, details FROM audit_logs WHERE action = ?1 ORDER BY id", [action])
}

#[test]
fn a_session_shows_times_and_client_of_its_last_use() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    let body = json!({"email": account.email, "password": crate::support::PASSWORD});
    let login = app.post("/auth/login").header("user-agent", "lamp/1.0").json(&body).send().expect_status(200);
    let access = login.field("access_token");
    let sessions = list(&app, &access);
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    let session = &sessions[0];
    assert_eq!((&session["ip_address"], &session["user_agent"]), (&json!("127.0.0.1"), &json!("lamp/1.0")));
    assert_eq!((&session["current"], &session["created_at"]), (&json!(true), &session["last_used_at"]));
    for time in ["created_at", "last_used_at", "expires_at"] {
        assert!(session[time].as_str().is_some_and(|text| text.ends_with('Z')), "{session}");
    }

    app.wait(Duration::from_secs(1));
    let token = json!({"refresh_token": login.field("refresh_token")});
    let refresh = app.post("/auth/refresh").header("user-agent", "lamp/1.1").json(&token).send().expect_status(200);
    let refreshed = list(&app, &refresh.field("access_token"));
    assert_eq!(refreshed.len(), 1, "a chain is one session: {refreshed:?}");
    let (old, new) = (session, &refreshed[0]);
    for same in ["id", "created_at", "current"] {
        assert_eq!(new[same], old[same], "{same}");
    }
    assert!(new["last_used_at"].as_str() > old["last_used_at"].as_str(), "{new} {old}");
    assert!(new["expires_at"].as_str() > old["expires_at"].as_str(), "{new} {old}");
    assert_eq!(new["user_agent"], "lamp/1.1");
}

#[test]
fn only_own_sessions_are_listed_newest_first() {
    let app = TestApp::start();
    let (account, first) = app.logged_in("user@example.com");
    let second = app.login(&account);
    app.logged_in("other@example.com");
    // The order is by creation, not by last use.
    let first = app.refresh(&first.refresh);
    let (seen_by_first, seen_by_second) = (list(&app, &first.access), list(&app, &second.access));
    assert_eq!(ids(&seen_by_first), [2, 1]);
    assert_eq!(ids(&seen_by_second), [2, 1]);
    let current = |sessions: &[Value]| sessions.iter().map(|session| session["current"] == true).collect::<Vec<_>>();
    assert_eq!((current(&seen_by_first), current(&seen_by_second)), (vec![false, true], vec![true, false]));
}

#[test]
fn logout_invalidates_all_tokens_of_the_session() {
    let app = TestApp::start();
    let (account, first) = app.logged_in("user@example.com");
    let second = app.refresh(&first.refresh);
    let other = app.login(&account);
    // The access token issued before the refresh stays valid until it expires or the session ends.
    assert!(is_open(&app, &first) && is_open(&app, &second));
    let reply = app.post("/auth/logout").bearer(&first.access).send().expect_status(204);
    assert_eq!((reply.text().as_str(), reply.header("content-length")), ("", None));
    assert!(!is_open(&app, &first) && !is_open(&app, &second) && is_open(&app, &other));
    app.try_refresh(&second.refresh).expect_detail(401, "Invalid or expired refresh token");
    app.post("/auth/logout").bearer(&first.access).send().expect_detail(401, "Invalid or expired access token");
    assert_eq!(audit(&app, "logout"), json!([[account.id, "1", "User logged out: user@example.com"]]));
}

#[test]
fn logout_all_ends_every_session_of_the_account() {
    let app = TestApp::start();
    let (account, first) = app.logged_in("user@example.com");
    let second = app.login(&account);
    let (_, other) = app.logged_in("other@example.com");
    app.post("/auth/logout-all").bearer(&first.access).send().expect_status(204);
    assert!(!is_open(&app, &first) && !is_open(&app, &second) && is_open(&app, &other));
    app.try_refresh(&second.refresh).expect_status(401);
    let details = "User logged out everywhere (sessions: 2): user@example.com";
    assert_eq!(audit(&app, "logout_all"), json!([[account.id, null, details]]));
    app.login(&account);
}

#[test]
fn a_session_can_be_ended_from_another_session() {
    let app = TestApp::start();
    let (account, here) = app.logged_in("user@example.com");
    let there = app.login(&account);
    let end = |id: &str| app.request("DELETE", &format!("/users/me/sessions/{id}")).bearer(&here.access).send();
    end("2").expect_status(204);
    assert!(is_open(&app, &here) && !is_open(&app, &there));
    assert_eq!(ids(&list(&app, &here.access)), [1]);
    end("2").expect_detail(404, "Session not found");
    end("1").expect_status(204);
    assert!(!is_open(&app, &here));
    assert_eq!(
        audit(&app, "session_revoke"),
        json!([
            [account.id, "2", "Session 2 ended: user@example.com"],
            [account.id, "2", "Refused: Session not found: user@example.com"],
            [account.id, "1", "Session 1 ended: user@example.com"]
        ])
    );
}

#[test]
fn a_session_of_another_account_is_not_found() {
    let app = TestApp::start();
    let (_, user) = app.logged_in("user@example.com");
    let (_, other) = app.logged_in("other@example.com");
    let other = app.refresh(&other.refresh);
    for id in ["2", "3", "0", "-1", "99", "99999999999999999999"] {
        let request = app.request("DELETE", &format!("/users/me/sessions/{id}")).bearer(&user.access);
        request.send().expect_detail(404, "Session not found");
    }
    assert!(is_open(&app, &other));
}

/// A session refreshed `seconds` ago, and its first and second pair of tokens.
fn refreshed(seconds: u32) -> (TestApp, Account, Tokens, Tokens) {
    let app = TestApp::start();
    let (account, first) = app.logged_in("user@example.com");
    let second = app.refresh(&first.refresh);
    let_pass(&app, seconds);
    (app, account, first, second)
}

#[test]
fn reusing_a_refresh_token_ends_the_session() {
    let (app, account, first, second) = refreshed(11);
    let other = app.login(&account);
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
    assert!(!is_open(&app, &first) && !is_open(&app, &second) && is_open(&app, &other));
    app.try_refresh(&second.refresh).expect_detail(401, "Invalid or expired refresh token");
    let details = "A used refresh token came back: session 1 is ended";
    assert_eq!(audit(&app, "refresh_reuse"), json!([[account.id, "1", details]]));
}

#[test]
fn reusing_the_first_token_of_a_chain_ends_the_session() {
    let (app, _, first, second) = refreshed(3600);
    let third = app.refresh(&second.refresh);
    let fourth = app.refresh(&third.refresh);
    app.try_refresh(&first.refresh).expect_status(401);
    assert!(!is_open(&app, &fourth));
    app.try_refresh(&fourth.refresh).expect_status(401);
}

#[test]
fn reuse_within_ten_seconds_does_not_end_the_session() {
    let (app, _, first, second) = refreshed(0);
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
    assert!(is_open(&app, &second));
    assert_eq!(audit(&app, "refresh_reuse"), json!([]));
    app.refresh(&second.refresh);
}

#[test]
fn reuse_after_logout_is_not_reported_as_theft() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let other = app.login(&account);
    app.post("/auth/logout").bearer(&tokens.access).send().expect_status(204);
    app.try_refresh(&tokens.refresh).expect_detail(401, "Invalid or expired refresh token");
    assert!(is_open(&app, &other));
    assert_eq!(audit(&app, "refresh_reuse"), json!([]));
    let refused = json!([account.id, null, "Refused: Invalid or expired refresh token"]);
    assert_eq!(audit(&app, "refresh"), json!([refused]));
}

#[test]
fn refreshing_does_not_extend_a_session_beyond_its_absolute_lifetime() {
    let app = TestApp::with(&[("session_absolute_days", "10")]);
    let (account, tokens) = app.logged_in("user@example.com");
    // Nine days and some hours old.
    let age = "UPDATE sessions SET started_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-9 days', '-13 hours')";
    app.db().execute(age, []);
    let tokens = app.refresh(&tokens.refresh);
    let hours_left = "SELECT CAST(round((julianday(expires_at) - julianday('now')) * 24) AS INTEGER)
                      FROM sessions WHERE is_valid = 1";
    assert_eq!(app.db().value(hours_left, []), 11);
    let session_end = "SELECT CAST(strftime('%s', expires_at) AS INTEGER) FROM sessions WHERE is_valid = 1";
    assert_eq!(crate::support::claims(&tokens.refresh)["exp"], app.db().value(session_end, []));

    app.db().execute("UPDATE sessions SET started_at = '2020-01-01 00:00:00.000000'", []);
    app.try_refresh(&tokens.refresh).expect_detail(401, "Refresh token has expired");
    assert!(!is_open(&app, &tokens));
    app.try_refresh(&tokens.refresh).expect_detail(401, "Invalid or expired refresh token");
    assert_eq!(audit(&app, "refresh_reuse"), json!([]));
    assert!(is_open(&app, &app.login(&account)));
}

#[test]
fn no_token_outlives_its_session() {
    let app = TestApp::with(&[("session_absolute_days", "1"), ("access_token_expire_minutes", "1440")]);
    let (_, tokens) = app.logged_in("user@example.com");
    let age = "UPDATE sessions SET started_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-23 hours')";
    app.db().execute(age, []);
    let tokens = app.refresh(&tokens.refresh);
    let claims = crate::support::claims(&tokens.access);
    let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    // The session is aged by the clock of SQLite, which goes on.
    assert!(lifetime.is_some_and(|seconds| seconds <= 3660), "{claims}");
}

#[test]
fn a_session_of_the_python_server_can_be_refreshed() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.db().execute(
        "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         VALUES (?1, 'a', 'r', 1, strftime('%Y-%m-%d %H:%M:%f000', 'now', '-3 days'), '2099-01-01 00:00:00.000000')",
        [account.id],
    );
    let claims = |kind: &str, jti: &str| json!({"sub": "1", "exp": 4_070_908_800_i64, "type": kind, "jti": jti});
    let sign = |kind, jti| mint(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), claims(kind, jti));
    let python = Tokens { access: sign("access", "a"), refresh: sign("refresh", "r") };
    let before = list(&app, &python.access);
    let ours = app.refresh(&python.refresh);
    let after = list(&app, &ours.access);
    assert_eq!((before.len(), after.len()), (1, 1));
    for same in ["id", "created_at"] {
        assert_eq!(after[0][same], before[0][same], "{same}");
    }
    assert!(is_open(&app, &python));
    // Reuse of its used refresh token is theft like any other.
    let_pass(&app, 11);
    app.try_refresh(&python.refresh).expect_status(401);
    assert!(!is_open(&app, &ours) && !is_open(&app, &python));
    assert_eq!(audit(&app, "refresh_reuse").as_array().map(Vec::len), Some(1));
    // Once the session has ended, reuse is an ordinary refusal.
    app.try_refresh(&python.refresh).expect_status(401);
    assert_eq!(audit(&app, "refresh_reuse").as_array().map(Vec::len), Some(1));
}
