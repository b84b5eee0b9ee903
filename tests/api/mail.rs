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
fn a_delivered_token_is_overwritten_in_the_file() {
    let receiver = Receiver::start(500);
    let app = start(&receiver);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    let token = one(&receiver).json()["data"]["token"].as_str().expect("a token").to_owned();
    let is_in_file = || app.db_bytes().windows(token.len()).any(|window| window == token.as_bytes());
    assert!(is_in_file(), "it has to be sent again");
    receiver.reply(200);
    app.wait(seconds(30));
    app.deliver();
    assert!(!is_in_file());
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
    assert!(log.contains("(password.reset) was not delivered: status 500; next attempt within 30 s"), "{log}");

    app.wait(seconds(29));
    app.deliver();
    assert!(receiver.take().is_empty());
    app.wait(seconds(1));
    app.deliver();
    let second = one(&receiver);
    assert_eq!((first.header("webhook-id"), &first.body), (second.header("webhook-id"), &second.body));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));

    receiver.reply(200);
    app.wait(seconds(30));
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
    app.wait(seconds(86_370));
    app.deliver();
    assert_eq!(receiver.take().len(), 2);
    app.wait(seconds(30));
    app.deliver();
    assert!(receiver.take().is_empty());
    assert!(app.log().contains("(password.changed) is given up: it is a day old"), "{}", app.log());
    assert_eq!(outbox(&app), json!([[3, 1, 1, 1]]));
}

#[test]
fn a_message_is_attempted_until_its_token_expires() {
    let receiver = Receiver::start(500);
    let app = start(&receiver);
    app.register("user@example.com");
    forgot(&app, "user@example.com");
    // As after the attempts of 15 minutes.
    app.db().execute("UPDATE outbox SET attempts = 5", []);
    app.wait(seconds(960));
    app.deliver();
    let end = app.db().value("SELECT next_attempt_at <= expires_at FROM outbox", []);
    assert_eq!((receiver.take().len(), end), (2, json!(1)));
    receiver.reply(200);
    app.wait(seconds(839));
    app.deliver();
    one(&receiver);
}

/// An API with these accounts, which have a message each that is not sent yet.
fn start_with_messages(receiver: &Receiver, count: usize) -> TestApp {
    let app = start(receiver).restart_with(&[("email_verification", "on")]);
    app.hold_messages();
    for number in 0..count {
        app.register(&format!("user{number}@example.com"));
    }
    app
}

/// Delivers as the command does, which stops after ten failures.
fn deliver_as_command(app: &TestApp) {
    (0..10).for_each(|_| app.deliver());
}

#[test]
fn a_receiver_that_is_down_is_attempted_seldom_and_gets_all_messages_when_it_is_back() {
    const MESSAGES: usize = 8;
    let receiver = Receiver::start(503);
    let app = start_with_messages(&receiver, MESSAGES);
    for half_hour in 0..4 {
        let mut all = Vec::new();
        for _ in 0..60 {
            app.wait(seconds(30));
            deliver_as_command(&app);
            let received = receiver.take();
            assert!(!received.is_empty(), "once a minute, whatever the pauses are");
            all.extend(received);
        }
        let count = all.len();
        assert!(count < 60 + 9 * MESSAGES, "half an hour {half_hour}: {count} attempts");
        let mut ids: Vec<_> = all.iter().map(|received| received.header("webhook-id").to_owned()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), MESSAGES, "they take turns");
    }
    receiver.reply(200);
    app.wait(seconds(30));
    app.deliver();
    assert_eq!(receiver.take().len(), MESSAGES);
    assert_eq!(app.db().value("SELECT count(*) FROM outbox WHERE delivered_at IS NULL OR token IS NOT NULL", []), 0);
}

#[test]
fn the_pauses_of_one_message_double() {
    let receiver = Receiver::start(503);
    let app = start_with_messages(&receiver, 2);
    // The other one would be due first of those that wait, so it has to find out whether the receiver is back.
    let waiting = "UPDATE outbox SET attempts = 5, next_attempt_at = ?1 WHERE id = 1";
    let mut attempts = Vec::new();
    for second in (0..960).step_by(30) {
        app.db().execute(waiting, [app.now().after(seconds(31)).to_sql()]);
        deliver_as_command(&app);
        let to_second = |received: &Received| received.json()["data"]["to"] == "user1@example.com";
        attempts.extend(receiver.take().iter().any(to_second).then_some(second));
        app.wait(seconds(30));
    }
    assert_eq!(attempts, [0, 30, 90, 210, 450, 930]);
}

#[test]
fn a_message_that_is_being_sent_stays_claimed_when_the_receiver_is_back() {
    let receiver = Receiver::start(200);
    let app = start_with_messages(&receiver, 3);
    // Being sent; failed before and due; failed before and waiting.
    let schedule = "UPDATE outbox SET attempts = 4, next_attempt_at = ?2 WHERE id = ?1";
    for (id, wait) in [(1, 30), (2, 0), (3, 3600)] {
        app.db().execute(schedule, (id, app.now().after(seconds(wait)).to_sql()));
    }
    app.deliver();
    let received: Vec<_> = receiver.take().iter().map(|received| received.json()["data"]["to"].clone()).collect();
    assert_eq!(received, ["user1@example.com", "user2@example.com"]);
    app.wait(seconds(30));
    app.deliver();
    assert_eq!(one(&receiver).json()["data"]["to"], "user0@example.com");
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
