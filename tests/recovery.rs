//! Passwords, addresses and messages through the real component, with a receiver that verifies each signature.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Message, PASSWORD, Project, Receiver, Reply, TestApp, Tokens};

const NEW_PASSWORD: &str = "another horse, another staple";
const INVALID: &str = "Invalid or expired token";

/// A server that posts its messages to the receiver, with these variables.
fn start(receiver: &Receiver, variables: &[(&str, &str)]) -> TestApp {
    let set = |project: Project, (name, value): &(&str, &str)| project.variable(name, value);
    TestApp::of(variables.iter().fold(Project::migrated().posting_to(receiver), set))
}

pub(crate) fn forgot(app: &TestApp, email: &str) -> Reply {
    app.post("/auth/password/forgot").json(&json!({"email": email})).send()
}

fn reset(app: &TestApp, token: &str, password: &str) -> Reply {
    app.post("/auth/password/reset").json(&json!({"token": token, "new_password": password})).send()
}

fn verify(app: &TestApp, token: &str) -> Reply {
    app.post("/auth/email/verify").json(&json!({"token": token})).send()
}

fn change_email(app: &TestApp, tokens: &Tokens, email: &str) -> Reply {
    let body = json!({"email": email, "current_password": PASSWORD});
    app.request("PATCH", "/users/me").bearer(&tokens.access).json(&body).send()
}

/// The newest of this many messages, which has this type and recipient.
#[track_caller]
fn newest(receiver: &Receiver, count: usize, kind: &str, to: &str) -> Message {
    let message = receiver.wait_for(count).pop().expect("a message");
    assert_eq!((message.kind().as_str(), message.recipient().as_str()), (kind, to));
    message
}

#[test]
fn every_type_of_message_arrives_with_a_valid_signature() {
    let receiver = Receiver::start();
    let app = start(&receiver, &[("email_verification", "on")]);
    let (account, tokens) = app.logged_in("user@example.com");
    let asked = newest(&receiver, 1, "email.verify", "user@example.com");
    let url = format!("https://app.example.org/verify?token={}", asked.token());
    assert_eq!((&asked.json()["data"]["url"], &asked.json()["data"]["user_id"]), (&json!(url), &json!(account.id)));
    verify(&app, &asked.token()).expect_status(204);

    change_email(&app, &tokens, "new@example.com").expect_status(202);
    let mut messages = receiver.wait_for(3).split_off(1);
    messages.sort_by_key(Message::kind);
    let [told, asked] = messages.try_into().expect("two messages");
    assert_eq!((told.kind().as_str(), told.recipient().as_str()), ("email.changed", "user@example.com"));
    assert_eq!((&told.json()["data"]["token"], &told.json()["data"]["url"]), (&Value::Null, &Value::Null));
    assert_eq!((asked.kind().as_str(), asked.recipient().as_str()), ("email.verify", "new@example.com"));
    verify(&app, &asked.token()).expect_status(204);

    forgot(&app, "new@example.com").expect_status(202);
    let asked = newest(&receiver, 4, "password.reset", "new@example.com");
    let url = format!("https://app.example.org/reset?token={}", asked.token());
    assert_eq!(asked.json()["data"]["url"], url);
    reset(&app, &asked.token(), NEW_PASSWORD).expect_status(204);
    let told = newest(&receiver, 5, "password.changed", "new@example.com");
    assert_eq!((&told.json()["data"]["token"], &told.json()["data"]["url"]), (&Value::Null, &Value::Null));
    app.get("/users/me").bearer(&tokens.access).send().expect_status(401);
    app.try_login("new@example.com", NEW_PASSWORD).expect_status(200);
}

#[test]
fn a_token_leaves_the_database_and_never_enters_the_log() {
    let receiver = Receiver::start();
    let app = start(&receiver, &[("debug", "true")]);
    app.register("somebody@example.com");
    receiver.hook_answers("/status?500");
    forgot(&app, "somebody@example.com").expect_status(202);
    let token = receiver.wait_for(1)[0].token();
    app.wait_for_log("was not delivered: status 500");
    receiver.hook_answers("/status?204");
    make_due(app.project());
    app.project().run("deliver", &[]).succeeded();
    receiver.wait_for(2);
    settle(&app);
    reset(&app, "another token", NEW_PASSWORD).expect_status(400);
    let (project, log) = app.into_project_and_log();
    assert!(log.contains("was not delivered: status 500"), "{log}");
    assert!(!log.contains(&token) && !log.contains("somebody"), "{log}");
    // Free pages and the rest of used ones as well.
    for name in ["state/sqlite_db.db", "state/sqlite_db.db-wal"] {
        let bytes = std::fs::read(project.path(name)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{name} has the token");
    }
}

/// Waits until no message has to be sent any more.
fn settle(app: &TestApp) {
    while app.db().value("SELECT count(*) FROM outbox WHERE next_attempt_at IS NOT NULL", []) != 0 {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes all messages due that wait for their next attempt.
pub(crate) fn make_due(project: &Project) {
    let sql = "UPDATE outbox SET next_attempt_at = '2020-01-01 00:00:00.000000' WHERE next_attempt_at IS NOT NULL";
    project.db().execute(sql, []);
}

#[test]
fn without_mail_the_routes_that_send_are_not_there() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    for path in ["/auth/password/forgot", "/auth/email/verification", "/users/me/email/verification"] {
        let request = app.post(path).bearer(&tokens.access).json(&json!({"email": "user@example.com"}));
        request.send().expect_detail(404, "Not Found");
    }
    reset(&app, "nonsense", NEW_PASSWORD).expect_detail(400, INVALID);
    verify(&app, "nonsense").expect_detail(400, INVALID);
    change_email(&app, &tokens, "new@example.com").expect_status(200);
    assert_eq!(app.db().value("SELECT count(*) FROM outbox", []), 0);
}

#[test]
fn closed_registration_and_the_blocklist_refuse() {
    let app = TestApp::with(&[("registration", "closed")]);
    app.try_register("user@example.com").expect_detail(403, "Registration is closed");
    let app = app.restart_with(&[("registration", "open"), ("password_blocklist", "on")]);
    let register = |password: &str| {
        app.post("/auth/register").json(&json!({"email": "user@example.com", "password": password})).send()
    };
    for password in ["password1", "PASSWORD1", "user@example.com"] {
        let reply = register(password).expect_status(422);
        assert_eq!(reply.json()["detail"][0]["loc"], json!(["body", "password"]), "{reply}");
    }
    register(PASSWORD).expect_status(201);
    let printed = app.project().run("users", &["reset-password", "user@example.com"]).succeeded();
    let token = printed.lines().last().expect("a token");
    reset(&app, token, "password1").expect_status(422);
    reset(&app, token, NEW_PASSWORD).expect_status(204);
}

#[test]
fn a_token_is_refused_when_it_is_used_expired_superseded_or_for_something_else() {
    let receiver = Receiver::start();
    let app = start(&receiver, &[("email_verification", "required")]);
    app.register("user@example.com");
    app.try_login("user@example.com", PASSWORD).expect_detail(403, "Email not verified");
    let verification = newest(&receiver, 1, "email.verify", "user@example.com").token();
    // Of another purpose.
    reset(&app, &verification, NEW_PASSWORD).expect_detail(400, INVALID);
    verify(&app, &verification).expect_status(204);
    verify(&app, &verification).expect_detail(400, INVALID);
    let ask = |count: usize| {
        forgot(&app, "user@example.com").expect_status(202);
        let token = newest(&receiver, count, "password.reset", "user@example.com").token();
        settle(&app);
        token
    };
    let (superseded, expired) = (ask(2), ask(3));
    reset(&app, &superseded, NEW_PASSWORD).expect_detail(400, INVALID);
    verify(&app, &expired).expect_detail(400, INVALID);
    app.db().execute("UPDATE one_time_tokens SET expires_at = '2020-01-01 00:00:00.000000'", []);
    reset(&app, &expired, NEW_PASSWORD).expect_detail(400, INVALID);

    let last = ask(4);
    app.db().execute("UPDATE users SET is_active = 0", []);
    reset(&app, &last, NEW_PASSWORD).expect_detail(400, INVALID);
    app.db().execute("UPDATE users SET is_active = 1, email = 'new@example.com'", []);
    reset(&app, &last, NEW_PASSWORD).expect_detail(400, INVALID);
    app.db().execute("UPDATE users SET email = 'user@example.com'", []);
    reset(&app, &last, NEW_PASSWORD).expect_status(204);
    reset(&app, &last, PASSWORD).expect_detail(400, INVALID);
    newest(&receiver, 5, "password.changed", "user@example.com");

    // The fourth within an hour is not sent.
    forgot(&app, "user@example.com").expect_status(202);
    settle(&app);
    assert_eq!(receiver.messages().len(), 5);

    let deleted = app.project().run("users", &["reset-password", "user@example.com"]).succeeded();
    let deleted = deleted.lines().last().and_then(|line| line.split_once("token=")).expect("a link").1.to_owned();
    let tokens = Tokens::of(&app.try_login("user@example.com", NEW_PASSWORD).expect_status(200));
    let body = json!({"current_password": NEW_PASSWORD});
    app.request("DELETE", "/users/me").bearer(&tokens.access).json(&body).send().expect_status(204);
    reset(&app, &deleted, PASSWORD).expect_detail(400, INVALID);
}

#[test]
fn a_lost_refresh_reply_is_repeated_until_the_successor_is_used() {
    let app = TestApp::with(&[("refresh_retry_seconds", "60")]);
    let (_, first) = app.logged_in("user@example.com");
    let pair = |token: &str| app.try_refresh(token).expect_status(200).json();
    let second = pair(&first.refresh);
    assert_eq!(pair(&first.refresh), second);
    let used = second["refresh_token"].as_str().expect("a token");
    let third = pair(used);
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
    assert_eq!(pair(used), third, "that was a race");
    // Theft.
    app.db().execute("UPDATE sessions SET rotated_at = '2020-01-01 00:00:00.000000' WHERE rotated_at IS NOT NULL", []);
    app.try_refresh(&first.refresh).expect_status(401);
    app.try_refresh(third["refresh_token"].as_str().expect("a token")).expect_status(401);

    let app = app.restart_with(&[("refresh_retry_seconds", "0")]);
    let (_, first) = app.logged_in("other@example.com");
    app.refresh(&first.refresh);
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
}
