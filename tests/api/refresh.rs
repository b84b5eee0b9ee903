//! `POST /auth/refresh`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Account, PASSWORD, SECRET, TestApp, Tokens, claims, mint};

/// The header of the server's tokens.
fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

/// An unused refresh token of a new account, and its claims.
fn start() -> (TestApp, Account, String, Value) {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let claims = claims(&tokens.refresh);
    (app, account, tokens.refresh, claims)
}

#[test]
fn refresh_success() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let reply = app.try_refresh(&tokens.refresh);
    let (access, refresh) = (reply.field("access_token"), reply.field("refresh_token"));
    assert!(access != tokens.access && refresh != tokens.refresh, "a new pair");
    reply.expect(200, &json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer"}));
    app.refresh(&refresh);
}

#[test]
fn refresh_invalid_token() {
    let (app, _, token, _) = start();
    let (rest, signature) = token.rsplit_once('.').expect("three parts");
    for invalid in ["", "garbage", "a.b.c", rest, &format!("{rest}."), &format!("{token}x"), &format!("{token}=")] {
        let reply = app.try_refresh(invalid).expect_detail(401, "Invalid token");
        assert_eq!(reply.header("www-authenticate"), None, "the token came in the body");
    }
    let swapped: String = signature.chars().rev().collect();
    app.try_refresh(&format!("{rest}.{swapped}")).expect_detail(401, "Invalid token");
    app.refresh(&token);
}

#[test]
fn refresh_wrong_type() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    app.try_refresh(&tokens.access).expect_detail(401, "Invalid token type");
}

#[test]
fn refresh_reuse() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let second = app.refresh(&tokens.refresh);
    app.try_refresh(&tokens.refresh).expect_detail(401, "Invalid or expired refresh token");
    // An immediate reuse counts as a race between two tabs and does not end the session.
    app.refresh(&second.refresh);
}

#[test]
fn a_clock_that_is_set_back_does_not_make_a_stolen_token_a_race() {
    for (seconds, is_race) in [(9, true), (11, false), (3600, false)] {
        let app = TestApp::start();
        let (_, tokens) = app.logged_in("user@example.com");
        let second = app.refresh(&tokens.refresh);
        app.turn_back(Duration::from_secs(seconds));
        app.try_refresh(&tokens.refresh).expect_detail(401, "Invalid or expired refresh token");
        let status = if is_race { 200 } else { 401 };
        app.try_refresh(&second.refresh).expect_status(status);
        let reuses = app.db().value("SELECT count(*) FROM audit_logs WHERE action = 'refresh_reuse'", []);
        assert_eq!(reuses, u64::from(!is_race), "{seconds} s");
    }
}

#[test]
fn refresh_with_another_key() {
    let (app, _, token, claims) = start();
    let foreign = mint("another secret of more than thirty-two bytes", &hs256(), &claims);
    app.try_refresh(&foreign).expect_detail(401, "Invalid token");
    app.refresh(&token);
}

#[test]
fn refresh_with_another_algorithm() {
    let (app, _, _, claims) = start();
    for alg in ["none", "HS384", "HS512", "RS256", "hs256"] {
        let token = mint(SECRET, &json!({"alg": alg, "typ": "JWT"}), &claims);
        app.try_refresh(&token).expect_detail(401, "Invalid token");
    }
    // The same claims with the right algorithm are accepted.
    app.refresh(&mint(SECRET, &hs256(), &claims));
}

#[test]
fn refresh_refuses_other_claims_one_by_one() {
    let (app, _, token, good) = start();
    for (change, detail) in [
        (json!({"exp": 1}), "Invalid token"),
        (json!({"exp": null}), "Invalid token"),
        (json!({"nbf": good["exp"]}), "Invalid token"),
        (json!({"aud": "someone"}), "Invalid token"),
        (json!({"sub": 1}), "Invalid token"),
        (json!({"type": "access"}), "Invalid token type"),
        (json!({"type": null}), "Invalid token type"),
        (json!({"sub": " 1"}), "Invalid token format"),
        (json!({"jti": ""}), "Invalid token format"),
        (json!({"jti": "00000000-0000-4000-8000-000000000000"}), "Invalid or expired refresh token"),
        (json!({"sub": "999"}), "Invalid or expired refresh token"),
    ] {
        let mut claims = good.clone();
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let reply = app.try_refresh(&mint(SECRET, &hs256(), &claims));
        assert_eq!((reply.status(), &reply.json()["detail"]), (401, &json!(detail)), "{change}");
    }
    app.refresh(&token);
}

#[test]
fn refresh_after_the_session_expired() {
    let (app, account, token, _) = start();
    app.db().execute("UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000'", []);
    app.try_refresh(&token).expect_detail(401, "Refresh token has expired");
    assert_eq!(app.db().rows("SELECT user_id, is_valid FROM sessions", []), json!([[account.id, 0]]));
    app.try_refresh(&token).expect_detail(401, "Invalid or expired refresh token");
}

#[test]
fn refresh_of_an_inactive_account() {
    let (app, _, token, _) = start();
    app.db().execute("UPDATE users SET is_active = 0", []);
    app.try_refresh(&token).expect_detail(401, "User not found or inactive");
    // The refusal does not use up the token: it works once the account is active again.
    app.db().execute("UPDATE users SET is_active = 1", []);
    app.refresh(&token);
}

#[test]
fn refresh_of_a_deleted_account() {
    let (app, account, token, _) = start();
    app.db().execute("DELETE FROM users WHERE id = ?1", [account.id]);
    app.try_refresh(&token).expect_detail(401, "User not found or inactive");
    // Without AUTOINCREMENT the id would be reused, and the old token would belong to the new account.
    let newcomer = app.register("newcomer@example.com");
    assert!(newcomer.id > account.id, "{} after {}", newcomer.id, account.id);
    app.try_refresh(&token).expect_status(401);
    let tokens = app.login(&newcomer);
    app.refresh(&tokens.refresh);
}

#[test]
fn refresh_takes_the_address_from_the_database() {
    let (app, _, token, _) = start();
    app.db().execute("UPDATE users SET email = 'new@example.com'", []);
    assert_eq!(claims(&app.refresh(&token).access)["email"], "new@example.com");
    app.try_login("user@example.com", PASSWORD).expect_status(401);
}

#[test]
fn refresh_does_not_read_the_authorization_header() {
    let (app, _, token, _) = start();
    let bearer = format!("Bearer {token}");
    let reply = app.post("/auth/refresh").header("authorization", &bearer).json(&json!({})).send().expect_status(422);
    assert_eq!(reply.json()["detail"][0]["loc"], json!(["body", "refresh_token"]));
}

#[test]
fn refresh_with_the_previous_key() {
    let (app, account, token, _) = start();
    let new = "the next secret, which is longer than thirty-two bytes";
    let app = app.restart_with(&[("secret_key", new), ("secret_key_previous", SECRET)]);
    let tokens = app.refresh(&token);
    // New tokens are signed with the new key and stay valid without the old one.
    let app = app.restart_with(&[("secret_key_previous", "")]);
    let tokens = app.refresh(&tokens.refresh);
    assert_eq!(claims(&tokens.access)["sub"], account.id.to_string());
}

const RETRY: [(&str, &str); 1] = [("refresh_retry_seconds", "20")];

/// Asserts that the token gets exactly this pair.
#[track_caller]
fn expect_again(app: &TestApp, token: &str, pair: &Tokens) {
    let again = app.refresh(token);
    assert_eq!((again.access, again.refresh), (pair.access.clone(), pair.refresh.clone()));
}

#[test]
fn a_lost_reply_can_be_had_again() {
    let app = TestApp::with(&RETRY);
    let (_, first) = app.logged_in("user@example.com");
    app.wait(Duration::from_secs(60));
    let second = app.refresh(&first.refresh);
    let stored = app.db().rows("SELECT * FROM sessions", []);
    for _ in 0..2 {
        app.wait(Duration::from_secs(9));
        expect_again(&app, &first.refresh, &second);
    }
    assert_eq!(app.db().rows("SELECT * FROM sessions", []), stored);
    app.get("/users/me").bearer(&second.access).send().expect_status(200);
    let sql = "SELECT details FROM audit_logs WHERE action = 'refresh'";
    let (one, again) =
        ("Token refreshed for user: user@example.com", "Token refreshed again for user: user@example.com");
    assert_eq!(app.db().rows(sql, []), json!([[one], [again], [again]]));
    // Neither pair was the first one of the chain.
    let third = app.refresh(&second.refresh);
    expect_again(&app, &second.refresh, &third);
}

#[test]
fn a_used_successor_is_not_given_out_again() {
    for wait in [0, 11] {
        let app = TestApp::with(&RETRY);
        let (_, first) = app.logged_in("user@example.com");
        let second = app.refresh(&first.refresh);
        let third = app.refresh(&second.refresh);
        app.wait(Duration::from_secs(wait));
        app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
        // As without retries: a race within ten seconds, and theft after that.
        app.try_refresh(&third.refresh).expect_status(if wait == 0 { 200 } else { 401 });
    }
}

#[test]
fn a_late_retry_is_theft() {
    let app = TestApp::with(&RETRY);
    let (_, first) = app.logged_in("user@example.com");
    let second = app.refresh(&first.refresh);
    app.wait(Duration::from_secs(20));
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
    app.try_refresh(&second.refresh).expect_status(401);
    assert_eq!(app.db().value("SELECT count(*) FROM audit_logs WHERE action = 'refresh_reuse'", []), 1);
}

#[test]
fn a_retry_needs_a_session_and_an_active_account() {
    let app = TestApp::with(&RETRY);
    let (_, first) = app.logged_in("user@example.com");
    let second = app.refresh(&first.refresh);
    app.db().execute("UPDATE users SET is_active = 0", []);
    app.try_refresh(&first.refresh).expect_detail(401, "User not found or inactive");
    app.db().execute("UPDATE users SET is_active = 1", []);
    expect_again(&app, &first.refresh, &second);
    app.post("/auth/logout").bearer(&second.access).send().expect_status(204);
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
}

#[test]
fn a_retry_after_a_rotation_of_keys_is_signed_with_the_new_one() {
    let app = TestApp::with(&RETRY);
    let (_, first) = app.logged_in("user@example.com");
    let second = app.refresh(&first.refresh);
    let new = "the next secret, which is longer than thirty-two bytes";
    let app = app.restart_with(&[("secret_key", new), ("secret_key_previous", SECRET)]);
    let again = app.refresh(&first.refresh);
    assert_eq!((claims(&again.access), claims(&again.refresh)), (claims(&second.access), claims(&second.refresh)));
    let app = app.restart_with(&[("secret_key_previous", "")]);
    app.get("/users/me").bearer(&again.access).send().expect_status(200);
    app.refresh(&again.refresh);
}

#[test]
fn without_retries_a_token_works_once() {
    let app = TestApp::start();
    let (_, first) = app.logged_in("user@example.com");
    app.refresh(&first.refresh);
    // Even at the same moment.
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
}
