//! The throttle on a real host: counters that are exact and outlast the server, and a key-value store that fails.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::support::{Account, Database, PASSWORD, Project, Reply, TestApp};

const WRONG: &str = "not the password";

/// Starts a server behind a proxy, so that requests can come from many addresses.
fn start() -> TestApp {
    TestApp::with(&[("client_ip_header", "x-forwarded-for")])
}

#[track_caller]
fn login_from(app: &TestApp, address: &str, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    app.post("/auth/login").header("x-forwarded-for", address).json(&body).send()
}

/// Opens the key-value store.
fn store(app: &TestApp) -> Database {
    Database::open(&app.project().path("state/sqlite_key_value.db"))
}

#[test]
fn only_ten_of_fifty_simultaneous_guesses_are_checked() {
    let app = start();
    let account = app.register("user@example.com");
    let barrier = Barrier::new(50);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let guess = || {
            barrier.wait();
            login_from(&app, "192.0.2.1", &account.email, WRONG).status()
        };
        let guesses: Vec<_> = (0..50).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().expect("a reply")).collect()
    });
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (10, 40), "{statuses:?}");
}

#[test]
fn counters_survive_a_restart() {
    let app = start();
    let Account { email, .. } = app.register("user@example.com");
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", &email, WRONG).expect_status(401);
    }
    let app = app.restart_with(&[]);
    login_from(&app, "192.0.2.1", &email, PASSWORD).expect_status(429);
}

#[track_caller]
fn expect_throttle(app: &TestApp, account: &Account) {
    for _ in 0..10 {
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    for _ in 0..2 {
        app.try_login(&account.email, WRONG).expect_status(429);
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin does not start if a store has no configuration")]
fn the_throttle_works_without_the_key_value_store() {
    let (grant, other) = ("key_value_stores = [\"default\"]", "key_value_stores = [\"other\"]");
    let app = TestApp::of(Project::migrated().edit("spin.toml", grant, other));
    let account = app.register("user@example.com");
    app.login(&account);
    expect_throttle(&app, &account);
    let log = app.into_log();
    assert!(
        log.contains("the throttle works without its cache: key-value store: the manifest does not grant it"),
        "{log}"
    );
    assert!(!log.contains("example.com"), "{log}");
}

#[test]
fn the_throttle_works_with_a_broken_key_value_store() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.login(&account);
    store(&app).execute_all("DROP TABLE spin_key_value");
    app.login(&account);
    expect_throttle(&app, &account);
    let log = app.into_log();
    assert!(
        log.contains("the throttle works without its cache: key-value store: ") && log.contains("no such table"),
        "{log}"
    );
}

#[test]
fn pauses_are_remembered_in_the_key_value_store() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    expect_throttle(&app, &account);
    let rows = store(&app).rows("SELECT CAST(value AS TEXT) FROM spin_key_value WHERE key LIKE 'paused/%'", []);
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert!(rows.to_string().contains("pair/") && !rows.to_string().contains("example"), "{rows}");
}
