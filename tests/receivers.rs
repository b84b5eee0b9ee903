//! The receivers of `examples/receiver/`: they accept the messages of the API, and refuse everything else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use serde_json::json;

use crate::support::{Client, ExampleReceiver, Finished, Reply, TestApp, WEBHOOK_SECRET};

/// A request to a receiver.
#[derive(Clone)]
struct Delivery {
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Delivery {
    /// Signs `body` as sent `age` seconds ago.
    fn signed(secret: &str, id: &str, age: i64, body: &str) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs();
        let timestamp = now.cast_signed() - age;
        let key = STANDARD.decode(&secret["whsec_".len()..]).expect("Base64");
        let tag = HS256Key::from_bytes(&key).authentication_tag(format!("{id}.{timestamp}.{body}").as_bytes());
        let headers = vec![
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(tag))),
        ];
        Self { headers, body: body.to_owned() }
    }

    /// Signs a message.
    fn valid(id: &str) -> Self {
        Self::signed(WEBHOOK_SECRET, id, 0, &message(id))
    }

    /// Replaces a header, or removes it.
    fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(other, _)| *other == name).expect("a header").1
    }

    /// Sends it, and returns the status of the reply.
    #[track_caller]
    fn send(&self, receiver: &ExampleReceiver) -> u16 {
        let client = Client::new();
        let request = client.request("POST", &receiver.url);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.raw_body(self.body.clone()).send().status()
    }
}

fn message(id: &str) -> String {
    json!({"type": "password.changed", "data": {"to": format!("{id}@example.com"), "url": null}}).to_string()
}

/// Sends bytes over a connection of their own, and returns the status of the reply.
#[track_caller]
fn send_raw(receiver: &ExampleReceiver, request: &[u8]) -> u16 {
    let address = receiver.url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("it replies");
    Reply::parse(&reply).status()
}

/// Asserts that no fault was reported: neither a stack trace of Python nor one of Node.
#[track_caller]
fn expect_no_trace(finished: &Finished) {
    for word in ["Traceback", "Error:", "    at "] {
        assert!(!finished.stderr.contains(word), "{finished:#?}");
    }
}

/// The messages of the API arrive, with a link; with another secret they do not.
#[track_caller]
fn receives_messages_of_the_api(program: &str, file: &str) {
    let receiver = ExampleReceiver::start(program, file);
    let mut variables = receiver.variables().to_vec();
    variables.push(("password_reset_url", "http://localhost:3000/?page=reset"));
    let app = TestApp::with(&variables);
    let account = app.register("user@example.com");
    let forgot = json!({"email": "user@example.com"});
    app.post("/auth/password/forgot").json(&forgot).send().expect_status(202);
    let messages = receiver.messages(1);
    let data = &messages[0]["data"];
    assert_eq!((&messages[0]["type"], &data["to"]), (&json!("password.reset"), &json!("user@example.com")));
    assert_eq!(data["user_id"], account.id);
    let token = data["token"].as_str().expect("a token");
    assert_eq!(data["url"], format!("http://localhost:3000/?page=reset&token={token}"));
    let reset = json!({"token": token, "new_password": "a new password"});
    app.post("/auth/password/reset").json(&reset).send().expect_status(204);
    assert_eq!(receiver.messages(2)[1]["type"], "password.changed");
    let undelivered = || app.db().rows("SELECT count(*) FROM outbox WHERE delivered_at IS NULL", []);
    while undelivered() != json!([[0]]) {
        std::thread::yield_now();
    }

    let other_secret = format!("whsec_{}", STANDARD.encode([7; 32]));
    let app = app.restart_with(&[("mail_webhook_secret", &other_secret)]);
    app.post("/auth/password/forgot").json(&forgot).send().expect_status(202);
    app.wait_for_log("was not delivered: status 401");
    assert_eq!(receiver.messages(2).len(), 2);
    expect_no_trace(&receiver.finish());
}

/// Only what the API has signed, just now, is accepted; once.
#[track_caller]
fn refuses_everything_else(program: &str, file: &str) {
    let receiver = ExampleReceiver::start(program, file);
    let other_secret = format!("whsec_{}", STANDARD.encode([7; 32]));
    let valid = Delivery::valid("msg_1");
    let changed = |body: &str| Delivery { body: body.to_owned(), ..valid.clone() };
    let renamed = valid.header("webhook-signature").replacen("v1,", "v2,", 1);
    for (case, delivery) in [
        ("a wrong secret", Delivery::signed(&other_secret, "msg_1", 0, &message("msg_1"))),
        ("an old timestamp", Delivery::signed(WEBHOOK_SECRET, "msg_1", 310, &message("msg_1"))),
        ("a timestamp of the future", Delivery::signed(WEBHOOK_SECRET, "msg_1", -310, &message("msg_1"))),
        ("a changed body", changed(&message("msg_2"))),
        ("no body", changed("")),
        ("another id", valid.clone().with("webhook-id", Some("msg_2"))),
        ("another timestamp", valid.clone().with("webhook-timestamp", Some("1700000000"))),
        ("no number as a timestamp", valid.clone().with("webhook-timestamp", Some("now"))),
        ("a long timestamp", valid.clone().with("webhook-timestamp", Some(&"9".repeat(5000)))),
        ("another version", valid.clone().with("webhook-signature", Some(&renamed))),
        ("a signature without version", valid.clone().with("webhook-signature", Some(&renamed[3..]))),
        ("an empty signature", valid.clone().with("webhook-signature", Some("v1,"))),
        ("no id", valid.clone().with("webhook-id", None)),
        ("no timestamp", valid.clone().with("webhook-timestamp", None)),
        ("no signature", valid.clone().with("webhook-signature", None)),
    ] {
        assert_eq!(delivery.send(&receiver), 401, "{case}");
    }
    let letters = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\nwebhook-id: \xff\xfe\r\n\
        webhook-timestamp: 1\xb2\r\nwebhook-signature: v1,\xc3\xa9\r\n\r\n{}";
    assert_eq!(send_raw(&receiver, letters), 401);
    for length in ["-1", "1_0", "x", &"9".repeat(5000)] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{{}}");
        let reply = send_raw(&receiver, request.as_bytes());
        assert!((400..500).contains(&reply), "Content-Length: {length}: {reply}");
    }
    let large = Delivery::signed(WEBHOOK_SECRET, "msg_1", 0, &format!("\"{}\"", "x".repeat(70_000)));
    assert_eq!(large.send(&receiver), 413);
    for body in ["", "{", "\u{e9}\0", &"[".repeat(60_000)] {
        assert_eq!(Delivery::signed(WEBHOOK_SECRET, "msg_1", 0, body).send(&receiver), 400, "{body:.10}");
    }

    assert_eq!(valid.send(&receiver), 204);
    // It comes again, signed anew.
    assert_eq!(Delivery::signed(WEBHOOK_SECRET, "msg_1", -5, &valid.body).send(&receiver), 204);
    // While a secret is replaced, there is more than one signature.
    let second = Delivery::valid("msg_2");
    let other = STANDARD.encode([1; 32]);
    let three = format!("v1a,bm90IG91cnM= v1,{other} {}", second.header("webhook-signature"));
    assert_eq!(second.with("webhook-signature", Some(&three)).send(&receiver), 204);
    for age in [290, -290] {
        let id = format!("msg_{age}");
        assert_eq!(Delivery::signed(WEBHOOK_SECRET, &id, age, &message(&id)).send(&receiver), 204);
    }
    let recipients: Vec<_> = receiver.messages(4).iter().map(|message| message["data"]["to"].clone()).collect();
    let expected = ["msg_1", "msg_2", "msg_290", "msg_-290"].map(|id| format!("{id}@example.com"));
    assert_eq!(recipients, expected);
    expect_no_trace(&receiver.finish());

    for secret in ["", "whsec_", "whsec_c2hvcnQ=", "QWxsIHRlc3RzIG9mIHRoaXMgcHJvamVjdCB1c2UgaXQ=", "whsec_QWxs*"] {
        let finished = Finished::of(ExampleReceiver::command(program, file, secret));
        finished.failed(1, &["MAIL_WEBHOOK_SECRET must be"]);
        expect_no_trace(&finished);
    }
}

#[test]
#[cfg_attr(not(has_python), ignore = "needs python3")]
fn the_python_receiver_receives_messages_of_the_api() {
    receives_messages_of_the_api("python3", "receiver.py");
}

#[test]
#[cfg_attr(not(has_python), ignore = "needs python3")]
fn the_python_receiver_refuses_everything_else() {
    refuses_everything_else("python3", "receiver.py");
}

#[test]
#[cfg_attr(not(has_node), ignore = "needs Node")]
fn the_node_receiver_receives_messages_of_the_api() {
    receives_messages_of_the_api("node", "receiver.mjs");
}

#[test]
#[cfg_attr(not(has_node), ignore = "needs Node")]
fn the_node_receiver_refuses_everything_else() {
    refuses_everything_else("node", "receiver.mjs");
}
