//! Simultaneous requests: exactly one wins.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::support::{PASSWORD, Project, Receiver, Reply, TestApp};

/// Clients of requests that take a moment.
const CLIENTS: usize = 32;
/// Clients of requests that hash a password, and so overlap for long.
const HASHING_CLIENTS: usize = 6;

/// Sends one request per client at the same time and returns the replies.
fn at_once(clients: usize, send: impl Fn() -> Reply + Sync) -> Vec<Reply> {
    let barrier = Barrier::new(clients);
    thread::scope(|scope| {
        let client = || {
            barrier.wait();
            send()
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a reply")).collect()
    })
}

#[test]
fn refresh_race_has_one_winner() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let replies = at_once(CLIENTS, || app.try_refresh(&tokens.refresh));
    let (won, lost): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status() == 200);
    assert_eq!(won.len(), 1);
    for reply in lost {
        reply.expect_detail(401, "Invalid or expired refresh token");
    }
    assert_eq!(app.db().rows("SELECT is_valid FROM sessions ORDER BY id", []), json!([[0], [1]]));
    assert_eq!(app.db().value("SELECT count(*) FROM audit_logs WHERE action = 'refresh'", []), 1);
    app.refresh(&won[0].field("refresh_token"));
}

/// Asserts that one of the replies is 204 and the others say that the token is used.
#[track_caller]
fn expect_one_use(replies: Vec<Reply>) {
    let (won, lost): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status() == 204);
    assert_eq!(won.len(), 1);
    for reply in lost {
        reply.expect_detail(400, "Invalid or expired token");
    }
}

#[test]
fn a_token_to_reset_a_password_has_one_winner() {
    let app = TestApp::start();
    app.register("user@example.com");
    let printed = app.project().run("users", &["reset-password", "user@example.com"]).succeeded();
    let token = printed.lines().last().expect("a token");
    let password = |number: usize| format!("another horse, staple {number}");
    let number = AtomicUsize::new(0);
    expect_one_use(at_once(CLIENTS, || {
        let password = password(number.fetch_add(1, Ordering::SeqCst));
        app.post("/auth/password/reset").json(&json!({"token": token, "new_password": password})).send()
    }));
    let sql = "SELECT count(*) FROM audit_logs WHERE action = 'password_reset' AND details LIKE 'Password reset,%'";
    assert_eq!(app.db().value(sql, []), 1);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin grants hosts by their own rules")]
fn a_token_to_verify_an_address_has_one_winner() {
    let receiver = Receiver::start();
    let project = Project::migrated().posting_to(&receiver).variable("email_verification", "on");
    let app = TestApp::of(project);
    app.register("user@example.com");
    let token = receiver.wait_for(1)[0].token();
    expect_one_use(at_once(CLIENTS, || app.post("/auth/email/verify").json(&json!({"token": token})).send()));
    let sql = "SELECT count(*) FROM audit_logs WHERE action = 'email_verify' AND details LIKE 'Email verified:%'";
    assert_eq!(app.db().value(sql, []), 1);
}

#[test]
fn register_race_has_one_winner() {
    let app = TestApp::start();
    let replies = at_once(HASHING_CLIENTS, || app.try_register("user@example.com"));
    let (won, lost): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status() == 201);
    assert_eq!(won.len(), 1);
    for reply in lost {
        reply.expect_detail(400, "Email already registered");
    }
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 1);
    let lines = "SELECT count(*) FILTER (WHERE user_id > 0), count(*) FROM audit_logs WHERE action = 'register'";
    assert_eq!(
        app.db().rows(lines, []),
        json!([[1, HASHING_CLIENTS]]),
        "one success, and a refusal for each of the others"
    );
}

#[test]
fn parallel_logins_of_one_account_all_succeed() {
    // The throttle would make more than ten wait for the first to succeed.
    let app = TestApp::with(&[("throttle", "off")]);
    let account = app.register("user@example.com");
    at_once(HASHING_CLIENTS, || app.try_login(&account.email, PASSWORD).expect_status(200));
    assert_eq!(app.db().value("SELECT count(DISTINCT refresh_token_jti) FROM sessions", []), HASHING_CLIENTS);
}

#[test]
fn parallel_logins_renew_an_outdated_hash_and_all_succeed() {
    let app = TestApp::with(&[("bcrypt_cost", "11"), ("throttle", "off")]);
    let account = app.register("user@example.com");
    let app = app.restart_with(&[("bcrypt_cost", "10")]);
    at_once(HASHING_CLIENTS, || app.try_login(&account.email, PASSWORD).expect_status(200));
    assert_eq!(app.db().value("SELECT substr(hashed_password, 1, 7) FROM users", []), "$2b$10$");
}

#[test]
fn two_administrators_demoting_each_other_leave_one() {
    let app = TestApp::start();
    let (one, by_one) = app.admin("one@example.com");
    let (other, by_other) = app.admin("other@example.com");
    let clients = Barrier::new(2);
    let demote = |id: i64, token: &str| {
        clients.wait();
        let body = json!({"is_admin": false});
        app.request("PATCH", &format!("/admin/users/{id}")).bearer(token).json(&body).send()
    };
    // Repeated, because the requests do not always overlap.
    for _ in 0..20 {
        app.db().execute("UPDATE users SET is_admin = 1", []);
        let replies = thread::scope(|scope| {
            let mine = scope.spawn(|| demote(other.id, &by_one.access));
            let theirs = scope.spawn(|| demote(one.id, &by_other.access));
            [mine.join().expect("a reply"), theirs.join().expect("a reply")]
        });
        let mut statuses = replies.map(|reply| reply.status());
        statuses.sort_unstable();
        assert_eq!(app.db().value("SELECT count(*) FROM users WHERE is_admin = 1", []), 1, "{statuses:?}");
        // The loser is no longer an administrator when its request is handled.
        assert_eq!(statuses, [200, 403]);
    }
}

#[test]
fn an_account_deleted_during_a_refresh_leaves_no_session() {
    let app = TestApp::start();
    let (_, admin) = app.admin("admin@example.com");
    for round in 0..5 {
        let (account, tokens) = app.logged_in(&format!("user{round}@example.com"));
        let clients = Barrier::new(2);
        let (refreshed, deleted) = thread::scope(|scope| {
            let refresh = scope.spawn(|| {
                clients.wait();
                let mut refresh = tokens.refresh.clone();
                loop {
                    let reply = app.try_refresh(&refresh);
                    match reply.status() {
                        200 => refresh = reply.field("refresh_token"),
                        _ => return reply,
                    }
                }
            });
            clients.wait();
            let path = format!("/admin/users/{}", account.id);
            let deleted = app.request("DELETE", &path).bearer(&admin.access).send();
            (refresh.join().expect("a reply"), deleted)
        });
        deleted.expect_status(204);
        assert_eq!(refreshed.status(), 401, "{refreshed}");
        assert_eq!(app.db().value("SELECT count(*) FROM sessions WHERE user_id = ?1", [account.id]), 0);
        app.get("/users/me").bearer(&tokens.access).send().expect_detail(401, "User not found");
    }
}

#[test]
fn one_of_parallel_password_changes_succeeds() {
    let app = TestApp::with(&[("throttle", "off")]);
    let (account, tokens) = app.logged_in("user@example.com");
    let replies = at_once(HASHING_CLIENTS, || {
        let body = json!({"current_password": PASSWORD, "new_password": "one of many passwords"});
        app.post("/users/me/password").bearer(&tokens.access).json(&body).send()
    });
    let won = replies.iter().filter(|reply| reply.status() == 204).count();
    assert_eq!(won, 1);
    for reply in replies.into_iter().filter(|reply| reply.status() != 204) {
        reply.expect_detail(400, "Incorrect password");
    }
    app.try_login(&account.email, "one of many passwords").expect_status(200);
}
