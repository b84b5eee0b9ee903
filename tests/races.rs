//! Many at once: exactly one wins.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::support::{Reply, TestApp};

const CLIENTS: usize = 32;

/// Sends as many requests as there are clients, all at once, and returns the replies.
fn at_once(send: impl Fn() -> Reply + Sync) -> Vec<Reply> {
    let barrier = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        let client = || {
            barrier.wait();
            send()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a reply")).collect()
    })
}

#[test]
fn refresh_race_has_one_winner() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let replies = at_once(|| app.try_refresh(&tokens.refresh));
    let (won, lost): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status() == 200);
    assert_eq!(won.len(), 1);
    for reply in lost {
        reply.expect_detail(401, "Invalid or expired refresh token");
    }
    assert_eq!(app.db().rows("SELECT is_valid FROM sessions ORDER BY id", []), json!([[0], [1]]));
    assert_eq!(app.db().value("SELECT count(*) FROM audit_logs WHERE action = 'refresh'", []), 1);
    app.refresh(&won[0].field("refresh_token"));
}

#[test]
fn register_race_has_one_winner() {
    let app = TestApp::start();
    let replies = at_once(|| app.try_register("user@example.com"));
    let (won, lost): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status() == 201);
    assert_eq!(won.len(), 1);
    for reply in lost {
        reply.expect_detail(400, "Email already registered");
    }
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 1);
    assert_eq!(app.db().value("SELECT count(*) FROM audit_logs WHERE action = 'register'", []), 1);
}

#[test]
fn parallel_logins_of_one_account_all_succeed() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    at_once(|| app.try_login(&account.email, crate::support::PASSWORD).expect_status(200));
    assert_eq!(app.db().value("SELECT count(DISTINCT refresh_token_jti) FROM sessions", []), CLIENTS);
}

#[test]
fn parallel_logins_renew_an_outdated_hash_and_all_succeed() {
    let app = TestApp::with(&[("bcrypt_cost", "11")]);
    let account = app.register("user@example.com");
    let app = app.restart_with(&[("bcrypt_cost", "10")]);
    at_once(|| app.try_login(&account.email, crate::support::PASSWORD).expect_status(200));
    assert_eq!(app.db().value("SELECT substr(hashed_password, 1, 7) FROM users", []), "$2b$10$");
}
