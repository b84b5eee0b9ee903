//! Wrong passwords in a row: slowed, and nobody locked out.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Account, Database, PASSWORD, Project, Reply, TestApp, only_on_lanterne};

const WRONG: &str = "not the password";

/// A server behind a proxy, so that a test can come from many addresses.
fn start() -> TestApp {
    TestApp::with(&[("client_ip_header", "x-forwarded-for")])
}

#[track_caller]
fn login_from(app: &TestApp, address: &str, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    app.post("/auth/login").header("x-forwarded-for", address).json(&body).send()
}

/// Fails the test unless the reply is a 429 that says for how long.
#[track_caller]
fn expect_pause(reply: &Reply, seconds: std::ops::RangeInclusive<i64>) {
    assert_eq!(reply.status(), 429, "{reply}");
    let retry_after: i64 = reply.header("retry-after").and_then(|value| value.parse().ok()).expect("seconds");
    assert!(seconds.contains(&retry_after), "{reply}");
    let detail = format!("Too many attempts. Try again in {retry_after} seconds.");
    assert_eq!(reply.json(), json!({"detail": detail}));
}

/// The key-value store, beside the server.
fn store(app: &TestApp) -> Database {
    Database::open(&app.project().path("state/sqlite_key_value.db"))
}

/// Changes what is kept of one kind of counter.
#[track_caller]
fn set(app: &TestApp, kind: &str, name: &str, value: i64) {
    let sql = "UPDATE spin_key_value SET value = CAST(json_set(CAST(value AS TEXT), '$.' || ?2, ?3) AS BLOB)
               WHERE store = 'default' AND key LIKE 'throttle/' || ?1 || '/%'";
    assert!(store(app).execute(sql, (kind, name, value)) > 0, "nothing was counted");
}

fn lines(app: &TestApp, action: &str) -> Value {
    app.db().rows("SELECT user_id, details FROM audit_logs WHERE action = ?1", [action])
}

#[test]
fn ten_failures_cost_a_pause_that_doubles() {
    let app = start();
    let account = app.register("user@example.com");
    let login = |password| login_from(&app, "192.0.2.1", &account.email, password);
    for _ in 0..10 {
        login(WRONG).expect_detail(401, "Incorrect email or password");
    }
    expect_pause(&login(WRONG), 25..=30);
    // The right password has to wait as well, or guessing would go on.
    expect_pause(&login(PASSWORD), 25..=30);
    assert_eq!(lines(&app, "login_failed").as_array().map(Vec::len), Some(10));
    let log = lines(&app, "login_throttled");
    assert_eq!(log.as_array().map(Vec::len), Some(1), "one line a pause: {log}");
    assert_eq!(log[0][0], account.id);
    assert!(
        log[0][1].as_str().is_some_and(|text| text.starts_with("Refused: Too many attempts, a pause of ")),
        "{log}"
    );

    set(&app, "pair", "until", 0);
    login(WRONG).expect_status(401);
    expect_pause(&login(PASSWORD), 55..=60);
    set(&app, "pair", "count", 1000);
    set(&app, "pair", "until", 0);
    login(WRONG).expect_status(401);
    expect_pause(&login(PASSWORD), 895..=900);

    // Another account from there, and the same account from elsewhere.
    let other = app.register("other@example.com");
    login_from(&app, "192.0.2.1", &other.email, PASSWORD).expect_status(200);
    login_from(&app, "192.0.2.2", &account.email, PASSWORD).expect_status(200);
}

#[test]
fn an_unknown_account_is_slowed_like_any_other() {
    let app = start();
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", "nobody@example.com", WRONG).expect_status(401);
    }
    expect_pause(&login_from(&app, "192.0.2.1", "nobody@example.com", WRONG), 25..=30);
    assert_eq!(lines(&app, "login_throttled")[0][0], Value::Null);
}

#[test]
fn success_forgets_the_failures() {
    let app = start();
    let account = app.register("user@example.com");
    for _ in 0..2 {
        for _ in 0..9 {
            login_from(&app, "192.0.2.1", &account.email, WRONG).expect_status(401);
        }
        login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_status(200);
    }
}

#[test]
fn a_hundred_failures_from_one_address_cost_a_pause_for_every_account() {
    let app = start();
    let account = app.register("user@example.com");
    login_from(&app, "192.0.2.1", "nobody@example.com", WRONG).expect_status(401);
    set(&app, "address", "count", 98);
    // One's own success takes nothing away from what one guessed elsewhere.
    login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_status(200);
    login_from(&app, "192.0.2.1", "somebody@example.com", WRONG).expect_status(401);
    login_from(&app, "192.0.2.1", "else@example.com", WRONG).expect_status(401);
    expect_pause(&login_from(&app, "192.0.2.1", &account.email, PASSWORD), 25..=30);
    login_from(&app, "192.0.2.2", &account.email, PASSWORD).expect_status(200);
    // A quarter of an hour later.
    set(&app, "address", "until", 0);
    set(&app, "address", "since", 0);
    login_from(&app, "192.0.2.1", "nobody@example.com", WRONG).expect_status(401);
    login_from(&app, "192.0.2.1", &account.email, PASSWORD).expect_status(200);
}

#[test]
fn nobody_can_lock_the_owner_of_an_account_out() {
    let app = start();
    let account = app.register("user@example.com");
    login_from(&app, "192.0.2.1", &account.email, WRONG).expect_status(401);
    set(&app, "account", "count", 1000);
    // Whoever guesses is slowed from the first wrong password on, half a minute at most.
    set(&app, "pair", "count", 6);
    login_from(&app, "192.0.2.1", &account.email, WRONG).expect_status(401);
    expect_pause(&login_from(&app, "192.0.2.1", &account.email, WRONG), 25..=30);
    login_from(&app, "192.0.2.2", &account.email, WRONG).expect_status(401);
    set(&app, "pair", "count", 9);
    set(&app, "pair", "until", 0);
    login_from(&app, "192.0.2.2", &account.email, WRONG).expect_status(401);
    expect_pause(&login_from(&app, "192.0.2.2", &account.email, WRONG), 25..=30);
    // Whoever knows the password is not.
    login_from(&app, "203.0.113.1", &account.email, PASSWORD).expect_status(200);
}

#[test]
fn of_many_at_once_no_more_than_ten_are_looked_at() {
    let app = start();
    let account = app.register("user@example.com");
    let barrier = Barrier::new(24);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let guess = || {
            barrier.wait();
            login_from(&app, "192.0.2.1", &account.email, WRONG).status()
        };
        let guesses: Vec<_> = (0..24).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().expect("a reply")).collect()
    });
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (10, 14), "{statuses:?}");
}

#[test]
fn a_stolen_token_is_no_way_around() {
    let app = TestApp::start();
    let (account, tokens) = app.logged_in("user@example.com");
    let guess = |password: &str| {
        let body = json!({"current_password": password, "new_password": "another horse, another staple"});
        app.post("/users/me/password").bearer(&tokens.access).json(&body).send()
    };
    for _ in 0..5 {
        guess(WRONG).expect_detail(400, "Incorrect password");
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    expect_pause(&guess(PASSWORD), 25..=30);
    expect_pause(&app.try_login(&account.email, PASSWORD), 25..=30);
    let body = json!({"current_password": PASSWORD});
    expect_pause(&app.request("DELETE", "/users/me").bearer(&tokens.access).json(&body).send(), 25..=30);
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
}

#[test]
fn counters_outlast_the_server_and_say_nothing_of_whom_they_count() {
    let app = start();
    let Account { email, .. } = app.register("user@example.com");
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", &email, WRONG).expect_status(401);
    }
    let kept = store(&app).rows("SELECT key, CAST(value AS TEXT) FROM spin_key_value", []).to_string();
    assert!(!kept.contains("user") && !kept.contains("example") && !kept.contains("192"), "{kept}");
    let app = app.restart_with(&[]);
    expect_pause(&login_from(&app, "192.0.2.1", &email, PASSWORD), 1..=30);
}

#[test]
fn without_the_throttle_nothing_is_counted() {
    let app = TestApp::with(&[("throttle", "off")]);
    let account = app.register("user@example.com");
    for _ in 0..12 {
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    app.login(&account);
    assert_eq!(store(&app).value("SELECT count(*) FROM spin_key_value", []), 0);
}

#[test]
fn logins_go_on_without_the_key_value_store() {
    if !only_on_lanterne("Spin does not start with a store that it has no configuration for") {
        return;
    }
    let (grant, other) = ("key_value_stores = [\"default\"]", "key_value_stores = [\"other\"]");
    let app = TestApp::of(Project::new().edit("spin.toml", grant, other));
    let account = app.register("user@example.com");
    for _ in 0..12 {
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    app.login(&account);
    let log = app.log();
    assert!(log.contains("failed logins are not counted: key-value store: the manifest does not grant it"), "{log}");
    assert!(!log.contains("example.com"), "{log}");
}

#[test]
fn logins_go_on_with_a_broken_key_value_store() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.try_login(&account.email, WRONG).expect_status(401);
    store(&app).execute_all("DROP TABLE spin_key_value");
    app.try_login(&account.email, WRONG).expect_status(401);
    app.login(&account);
    assert!(app.log().contains("failed logins are not counted: key-value store: no such table"), "{}", app.log());
}
