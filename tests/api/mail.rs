//! Messages: the outbox, and their delivery to a webhook.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Received, Receiver, TestApp};

const KEY: &[u8] = b"twenty-four bytes of key";

fn start(receiver: &Receiver) -> TestApp {
    let secret = format!("whsec_{}", STANDARD.encode(KEY));
    let url = receiver.url("/hooks/mail?from=auth");
    TestApp::with(&[
        ("mail", "webhook"),
        ("mail_webhook_url", &url),
        ("mail_webhook_secret", &secret),
        ("password_reset_url", "https://app.example.org/reset"),
    ])
}

fn forgot(app: &TestApp, email: &str) {
    app.post("/auth/password/forgot").json(&json!({"email": email})).send().expect_status(202);
}

/// The only request that was received since the last call.
#[track_caller]
fn one(receiver: &Receiver) -> Received {
    let [only] = receiver.take().try_into().expect("one message");
    only
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn outbox(app: &TestApp) -> Value {
    app.db().rows("SELECT attempts, token IS NULL, next_attempt_at IS NULL, delivered_at IS NULL FROM outbox", [])
}

#[test]
fn a_message_is_posted_and_signed_as_standard_webhooks_say() {
    let receiver = Receiver::start(204);
    let app = start(&receiver);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    let request = one(&receiver);
    assert_eq!(request.line, "POST /hooks/mail?from=auth HTTP/1.1");
    assert_eq!(request.header("content-type"), "application/json");
    let (id, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    assert!(id.starts_with("msg_") && id.len() == 26, "{id}");
    assert_eq!(timestamp, app.now().unix().to_string());
    let signed = format!("{id}.{timestamp}.{}", request.body);
    let tag = HS256Key::from_bytes(KEY).authentication_tag(signed.as_bytes());
    assert_eq!(request.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));

    let token = request.json()["data"]["token"].as_str().expect("a token").to_owned();
    let data = json!({
        "user_id": 1, "to": "user@example.com", "url": format!("https://app.example.org/reset?token={token}"), "token": token,
        "expires_at": app.now().after(seconds(1800)).to_rfc3339()
    });
    let body = json!({"type": "password.reset", "timestamp": app.now().to_rfc3339(), "data": data});
    assert_eq!(request.json(), body);
    assert_eq!(outbox(&app), json!([[1, 1, 1, 0]]), "the token has left the table");
    assert!(!app.log().contains(&token));
}

#[test]
fn nothing_is_sent_before_the_reply() {
    let receiver = Receiver::start(204);
    let app = start(&receiver);
    app.register("user@example.com");
    app.hold_messages();
    forgot(&app, "user@example.com");
    assert!(receiver.take().is_empty());
    app.deliver();
    one(&receiver);
}

#[test]
fn a_failed_delivery_is_repeated_with_the_same_id_and_body() {
    let receiver = Receiver::start(500);
    let app = start(&receiver);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    let first = one(&receiver);
    assert_eq!(outbox(&app), json!([[1, 0, 0, 1]]));
    let log = app.log();
    assert!(log.contains("(password.reset) was not delivered: status 500; next attempt in 30 s"), "{log}");

    app.wait(seconds(29));
    app.deliver();
    assert!(receiver.take().is_empty());
    app.wait(seconds(1));
    app.deliver();
    let second = one(&receiver);
    assert_eq!((first.header("webhook-id"), &first.body), (second.header("webhook-id"), &second.body));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));

    receiver.reply(200);
    app.wait(seconds(59));
    app.deliver();
    assert!(receiver.take().is_empty(), "the pause doubles");
    app.wait(seconds(1));
    app.deliver();
    one(&receiver);
    assert_eq!(outbox(&app), json!([[3, 1, 1, 0]]));
    app.wait(seconds(86_400));
    app.deliver();
    assert!(receiver.take().is_empty());
}

#[test]
fn a_receiver_that_does_not_answer_is_a_failure() {
    let gone = Receiver::start(204).url("/").replace("127.0.0.1", "127.0.0.2");
    let app = start(&Receiver::start(204)).restart_with(&[("mail_webhook_url", &gone)]);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    assert!(app.log().contains("was not delivered: "), "{}", app.log());
    assert_eq!(outbox(&app), json!([[1, 0, 0, 1]]));
}

#[test]
fn a_message_is_given_up_with_its_token() {
    let receiver = Receiver::start(500);
    let app = start(&receiver);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    app.wait(seconds(1800));
    app.deliver();
    assert_eq!(receiver.take().len(), 1, "not after the token has expired");
    assert!(app.log().contains("(password.reset) is given up: its token has expired"), "{}", app.log());
    assert_eq!(outbox(&app), json!([[2, 1, 1, 1]]));
}

#[test]
fn a_notice_is_attempted_for_a_day() {
    let receiver = Receiver::start(500);
    let app = start(&receiver);
    let (_, tokens) = app.logged_in("user@example.com");
    let body = json!({"current_password": PASSWORD, "new_password": "another horse, another staple"});
    app.post("/users/me/password").bearer(&tokens.access).json(&body).send().expect_status(204);
    let begun = app.now();
    while outbox(&app)[0][2] == 0 {
        app.wait(seconds(30));
        app.deliver();
    }
    // After 30, 60, 120, ... 15360 s, and then every 6 h.
    assert_eq!(receiver.take().len(), 13);
    assert_eq!(app.now().since(begun), seconds(30 * 1023 + 2 * 21_600));
    assert!(app.log().contains("(password.changed) is given up: status 500"), "{}", app.log());
}

#[test]
fn a_message_that_is_being_sent_is_not_sent_by_another_deliverer() {
    let receiver = Receiver::start(204);
    let app = start(&receiver);
    app.register("user@example.com");
    app.hold_messages();
    forgot(&app, "user@example.com");
    // As a deliverer leaves it that is killed after its claim.
    let claim = "UPDATE outbox SET attempts = 1, next_attempt_at = ?1";
    app.db().execute(claim, [app.now().after(seconds(30)).to_sql()]);
    app.deliver();
    assert!(receiver.take().is_empty());
    app.wait(seconds(30));
    app.deliver();
    one(&receiver);
}

#[test]
fn after_a_failure_the_other_messages_stay_due() {
    let receiver = Receiver::start(503);
    let app = start(&receiver);
    for email in ["one@example.com", "two@example.com"] {
        app.register(email);
    }
    app.hold_messages();
    forgot(&app, "one@example.com");
    forgot(&app, "two@example.com");
    app.deliver();
    assert_eq!(receiver.take().len(), 1, "the receiver is probably down");
    receiver.reply(200);
    app.deliver();
    assert_eq!(one(&receiver).json()["data"]["to"], "two@example.com");
    app.wait(seconds(30));
    app.deliver();
    assert_eq!(one(&receiver).json()["data"]["to"], "one@example.com");
}

#[test]
fn a_token_that_was_replaced_is_not_delivered_any_more() {
    let receiver = Receiver::start(500);
    let app = start(&receiver);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    forgot(&app, "user@example.com");
    receiver.reply(200);
    receiver.take();
    app.wait(seconds(30));
    app.deliver();
    let token = one(&receiver).json()["data"]["token"].clone();
    let body = json!({"token": token, "new_password": PASSWORD});
    app.post("/auth/password/reset").json(&body).send().expect_status(204);
}
