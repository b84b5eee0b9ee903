//! The contents of tokens.

use serde_json::{Value, json};

use crate::support::{TestApp, claims, header};

/// A time in the table `sessions`, plus an offset, in Unix seconds.
fn unix(app: &TestApp, column: &str, plus: i64) -> Value {
    let sql = format!("SELECT CAST(strftime('%s', {column}) AS INTEGER) + ?1 FROM sessions ORDER BY id DESC LIMIT 1");
    app.db().value(&sql, [plus])
}

#[test]
fn tokens_have_the_documented_header_and_claims() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let jtis = app.db().rows("SELECT access_token_jti, refresh_token_jti FROM sessions", []);
    for token in [&tokens.access, &tokens.refresh] {
        assert_eq!(header(token), json!({"alg": "HS256", "typ": "JWT"}));
    }
    let (sub, iat) = (account.id.to_string(), unix(&app, "created_at", 0));
    assert_eq!(
        claims(&tokens.access),
        json!({
            "sub": sub, "email": "user@example.com", "iat": iat, "exp": unix(&app, "created_at", 30 * 60),
            "type": "access", "jti": jtis[0][0]
        })
    );
    assert_eq!(
        claims(&tokens.refresh),
        json!({"sub": sub, "iat": iat, "exp": unix(&app, "expires_at", 0), "type": "refresh", "jti": jtis[0][1]})
    );
    assert_eq!(unix(&app, "expires_at", 0), unix(&app, "created_at", 7 * 24 * 60 * 60));
}

#[test]
fn token_lifetimes_follow_the_configuration() {
    let app = TestApp::with(&[("access_token_expire_minutes", "1"), ("refresh_token_expire_days", "2")]);
    let (_, tokens) = app.logged_in("user@example.com");
    assert_eq!(claims(&tokens.access)["exp"], unix(&app, "created_at", 60));
    assert_eq!(claims(&tokens.refresh)["exp"], unix(&app, "created_at", 2 * 24 * 60 * 60));
}

#[test]
fn every_token_has_a_unique_jti() {
    let app = TestApp::start();
    let (account, first) = app.logged_in("user@example.com");
    let second = app.login(&account);
    let third = app.refresh(&second.refresh);
    let pairs = [&first, &second, &third];
    let mut jtis: Vec<String> = pairs
        .iter()
        .flat_map(|pair| [&pair.access, &pair.refresh])
        .map(|token| claims(token)["jti"].as_str().expect("a text").to_owned())
        .collect();
    for jti in &jtis {
        // A version 4 UUID.
        assert!(jti.len() == 36 && jti.as_bytes()[14] == b'4', "{jti}");
    }
    jtis.sort();
    jtis.dedup();
    assert_eq!(jtis.len(), 6);
}

#[test]
fn the_admin_flag_is_not_in_tokens() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.db().execute("UPDATE users SET is_admin = 1", []);
    let claims = claims(&app.login(&account).access);
    let mut names: Vec<&str> = claims.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["email", "exp", "iat", "jti", "sub", "type"]);
}
