//! The throttle with the host's key-value store: atomic counters that outlast the server, and a store that fails.

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
fn only_ten_of_24_simultaneous_guesses_are_checked() {
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
fn counters_survive_a_restart() {
    let app = start();
    let Account { email, .. } = app.register("user@example.com");
    for _ in 0..10 {
        login_from(&app, "192.0.2.1", &email, WRONG).expect_status(401);
    }
    let app = app.restart_with(&[]);
    login_from(&app, "192.0.2.1", &email, PASSWORD).expect_status(429);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin does not start if a store has no configuration")]
fn logins_work_without_the_key_value_store() {
    let (grant, other) = ("key_value_stores = [\"default\"]", "key_value_stores = [\"other\"]");
    let app = TestApp::of(Project::migrated().edit("spin.toml", grant, other));
    let account = app.register("user@example.com");
    for _ in 0..12 {
        app.try_login(&account.email, WRONG).expect_status(401);
    }
    app.login(&account);
    let log = app.into_log();
    assert!(log.contains("attempts are not counted: key-value store: the manifest does not grant it"), "{log}");
    assert!(!log.contains("example.com"), "{log}");
}

#[test]
fn logins_work_with_a_broken_key_value_store() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    app.try_login(&account.email, WRONG).expect_status(401);
    store(&app).execute_all("DROP TABLE spin_key_value");
    app.try_login(&account.email, WRONG).expect_status(401);
    app.login(&account);
    let log = app.into_log();
    assert!(log.contains("attempts are not counted: key-value store: ") && log.contains("no such table"), "{log}");
}
