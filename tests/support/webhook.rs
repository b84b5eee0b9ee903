//! Messages that a server posts to a [`Receiver`], as the app that sends them verifies them.

use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use serde_json::Value;

use super::project::Project;
use super::receiver::Receiver;

/// The key of the signatures.
const KEY: &[u8] = b"twenty-four bytes of key";
/// How long a message may take, if another attempt of a running server has to come first.
const TIMEOUT: Duration = Duration::from_secs(50);

/// A message whose signature is right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// The header `webhook-id`.
    pub(crate) id: String,
    /// The header `webhook-timestamp`.
    pub(crate) timestamp: i64,
    /// The header `webhook-signature`.
    pub(crate) signature: String,
    /// The body as it came.
    pub(crate) body: String,
}

impl Message {
    /// Parses a request and verifies its signature (Standard Webhooks, "Verifying signatures").
    #[track_caller]
    fn parse(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
        let header = |name: &str| {
            let values = head.lines().filter_map(|line| line.split_once(": "));
            let value = values.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            value.unwrap_or_else(|| panic!("no {name} in {head}")).1.to_owned()
        };
        assert_eq!(header("content-type"), "application/json");
        let (id, timestamp, signature) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            unchunk(body)
        } else {
            body.to_owned()
        };
        let tag = HS256Key::from_bytes(KEY).authentication_tag(format!("{id}.{timestamp}.{body}").as_bytes());
        assert_eq!(signature, format!("v1,{}", STANDARD.encode(tag)), "{request}");
        Self { id, timestamp: timestamp.parse().expect("a number"), signature, body }
    }

    /// The body.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The type.
    #[track_caller]
    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// The recipient.
    #[track_caller]
    pub(crate) fn recipient(&self) -> String {
        self.json()["data"]["to"].as_str().expect("an address").to_owned()
    }

    /// The token.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.json()["data"]["token"].as_str().unwrap_or_else(|| panic!("no token in {self:?}")).to_owned()
    }
}

/// Joins the chunks of a body (RFC 9112, section 7.1).
fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").expect("a chunk");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

impl Receiver {
    /// The messages that have come.
    #[track_caller]
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.requests().iter().map(|request| Message::parse(request)).collect()
    }

    /// Waits until this many messages have come, and returns them.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Message> {
        let pause = Duration::from_millis(5);
        for _ in 0..TIMEOUT.as_millis() / pause.as_millis() {
            let messages = self.messages();
            if messages.len() >= count {
                assert_eq!(messages.len(), count, "{messages:#?}");
                return messages;
            }
            thread::sleep(pause);
        }
        panic!("{count} messages were expected: {:#?}", self.messages());
    }
}

impl Project {
    /// Lets servers and commands post messages to `/hook` of a receiver.
    pub(crate) fn posting_to(self, receiver: &Receiver) -> Self {
        let project = self.variable("mail", "webhook").variable("mail_webhook_url", &receiver.origin());
        let project = project.variable("mail_webhook_path", "/hook");
        let project = project.variable("mail_webhook_secret", &format!("whsec_{}", STANDARD.encode(KEY)));
        project
            .variable("password_reset_url", "https://app.example.org/reset")
            .variable("email_verification_url", "https://app.example.org/verify")
    }
}
