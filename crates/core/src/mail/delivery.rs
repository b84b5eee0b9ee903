//! Delivering what is due, one message after the other.

use std::time::Duration;

use lanterne_database::{BoxFuture, Connection, Timestamp, transaction};
use serde::Serialize;

use super::{LIMIT, issue, link, pause};
use crate::config::{Mail, MailConfig, Webhook};
use crate::error::Error;
use crate::one_time_tokens::{self, Purpose};
use crate::outbox::{self, Claimed, Kind};
use crate::users;

/// How long delivery is attempted.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// An HTTP request that posts a message.
pub struct Post {
    /// Where to.
    pub url: String,
    /// All headers but those of the connection.
    pub headers: [(&'static str, String); 6],
    /// JSON.
    pub body: String,
}

/// What a deliverer needs of its host.
pub trait Courier {
    /// Reads the clock.
    fn now(&self) -> Timestamp;

    /// Sends a request within [`Post::TIMEOUT`]; returns the status of the response.
    ///
    /// # Errors
    /// There was no response, for this reason.
    fn send<'a>(&'a self, post: &'a Post) -> BoxFuture<'a, Result<u16, String>>;

    /// Writes a line about a fault to the log.
    fn log(&self, line: &str);

    /// Writes a message to the log, which `mail=log` asks for.
    fn print(&self, message: &str);
}

impl Post {
    /// How long a request may take: less than a claim lasts, so that attempts do not overlap.
    pub const TIMEOUT: Duration = Duration::from_secs(15);

    fn new(webhook: &Webhook, message_id: &str, body: String, now: Timestamp) -> Self {
        let timestamp = now.unix();
        let headers = [
            ("content-type", "application/json".to_owned()),
            // Otherwise the host would send the body in chunks, which simple receivers do not read.
            ("content-length", body.len().to_string()),
            ("user-agent", concat!("lanterne-rouge/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("webhook-id", message_id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", webhook.signature(message_id, timestamp, &body)),
        ];
        Self { url: webhook.url.clone(), headers, body }
    }
}

/// The outcome of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The number of messages that were delivered.
    pub delivered: usize,
    /// The number of attempts that failed.
    pub failed: usize,
}

/// Delivers the messages that are due, with at most `attempts_max` attempts. Stops after `failures_max` failed ones: the
/// receiver is probably down, and the other messages stay due. The first message that failed before and succeeds now makes the
/// waiting ones due: once in a run, since the receiver may refuse some of them for good.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn deliver(
    db: &dyn Connection,
    config: &MailConfig,
    courier: &dyn Courier,
    attempts_max: usize,
    failures_max: usize,
) -> Result<Run, Error> {
    let (mut run, mut has_released) = (Run::default(), false);
    outbox::overwrite_deleted(db).await?;
    while config.is_on() && run.failed < failures_max && run.delivered + run.failed < attempts_max {
        let now = courier.now();
        let Some(claimed) = outbox::claim(db, now).await? else { break };
        if let Some(reason) = over(&claimed, now) {
            give_up(db, courier, &claimed, reason).await?;
            continue;
        }
        let Some(message) = complete(db, config, courier, claimed, now).await? else { continue };
        match send(config, courier, &message).await {
            Ok(()) => {
                outbox::mark_delivered(db, message.id, courier.now()).await?;
                run.delivered += 1;
                if message.attempts > 1 && !has_released {
                    outbox::release(db, courier.now()).await?;
                    has_released = true;
                }
            }
            Err(reason) => {
                run.failed += 1;
                fail(db, courier, &message, &reason).await?;
            }
        }
    }
    if config.is_on() {
        outbox::schedule_probe(db, courier.now()).await?;
    }
    Ok(run)
}

/// Returns when a message is given up.
fn deadline(message: &Claimed) -> Timestamp {
    let last = message.created_at.after(AGE_MAX);
    message.expires_at.map_or(last, |expires_at| expires_at.min(last))
}

/// Returns why a message is not worth another attempt.
fn over(message: &Claimed, now: Timestamp) -> Option<&'static str> {
    if message.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Some("its token has expired");
    }
    (deadline(message) <= now).then_some("it is a day old")
}

/// Looks up the account of a message that somebody asked for, and creates its token. Returns `None`, and deletes the message,
/// if nobody is to get it.
async fn complete(
    db: &dyn Connection,
    config: &MailConfig,
    courier: &dyn Courier,
    claimed: Claimed,
    now: Timestamp,
) -> Result<Option<Claimed>, Error> {
    if claimed.user_id.is_some() {
        return Ok(Some(claimed));
    }
    transaction(db, async {
        let user = users::find_by_email(db, &claimed.recipient).await?;
        let user = user.filter(|user| user.is_active && !(claimed.kind == Kind::EmailVerify && user.email_verified));
        // A token for the present address would end the change to another one.
        let is_changing = match &user {
            Some(user) if claimed.kind == Kind::EmailVerify => {
                let pending = one_time_tokens::pending_email(db, user.id, now).await?;
                pending.is_some_and(|email| email != user.email)
            }
            _ => false,
        };
        let user = match user.filter(|_| !is_changing) {
            Some(user) if pause(db, user.id, &user.email, claimed.kind, now).await?.is_none() => user,
            other => {
                if let Some(user) = other {
                    let kind = claimed.kind.name();
                    courier.log(&format!(
                        "message ({kind}) for user {} is not sent: {LIMIT} within an hour already",
                        user.id
                    ));
                }
                outbox::delete(db, &claimed).await?;
                return Ok(None);
            }
        };
        let purpose = match claimed.kind {
            Kind::EmailVerify => Purpose::EmailVerification,
            _ => Purpose::PasswordReset,
        };
        let issued = issue(db, config, user.id, purpose, &user.email, true, now).await?;
        if !outbox::complete(db, &claimed, user.id, &issued.token, issued.expires_at).await? {
            return Err(Error::Internal(anyhow::anyhow!("the claim of a message has lapsed")));
        }
        let (token, expires_at) = (Some(issued.token), Some(issued.expires_at));
        Ok(Some(Claimed { user_id: Some(user.id), token, expires_at, ..claimed }))
    })
    .await
}

async fn send(config: &MailConfig, courier: &dyn Courier, message: &Claimed) -> Result<(), String> {
    let body = body(config, message);
    match &config.mail {
        Mail::Off => Err("mail is off".to_owned()),
        Mail::Log => {
            courier.print(&format!("mail {} {body}", message.message_id));
            Ok(())
        }
        Mail::Webhook(webhook) => {
            let post = Post::new(webhook, &message.message_id, body, courier.now());
            match courier.send(&post).await? {
                200..300 => Ok(()),
                status => Err(format!("status {status}")),
            }
        }
    }
}

/// Logs a failed attempt, and schedules the next one: at the latest when the message is to be given up, so that its token
/// leaves the table.
async fn fail(db: &dyn Connection, courier: &dyn Courier, message: &Claimed, reason: &str) -> Result<(), Error> {
    let (now, pause) = (courier.now(), outbox::pause_after(message.attempts));
    outbox::postpone(db, message, now.after(pause).min(deadline(message))).await?;
    let (id, kind, seconds) = (&message.message_id, message.kind.name(), pause.as_secs());
    courier.log(&format!("message {id} ({kind}) was not delivered: {reason}; next attempt within {seconds} s"));
    Ok(())
}

async fn give_up(db: &dyn Connection, courier: &dyn Courier, message: &Claimed, reason: &str) -> Result<(), Error> {
    outbox::give_up(db, message).await?;
    let (id, kind) = (&message.message_id, message.kind.name());
    courier.log(&format!("message {id} ({kind}) is given up: {reason}"));
    Ok(())
}

/// A message, as it is posted.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

/// What a message reports; a notice has neither URL nor token.
#[derive(Serialize)]
struct Data<'a> {
    user_id: Option<i64>,
    to: &'a str,
    url: Option<String>,
    token: Option<&'a str>,
    expires_at: Option<String>,
}

/// Returns the JSON of a message. It is the same for every attempt.
fn body(config: &MailConfig, message: &Claimed) -> String {
    let page = match message.kind {
        Kind::PasswordReset => config.password_reset_url.as_deref(),
        Kind::EmailVerify => config.email_verification_url.as_deref(),
        Kind::EmailChanged | Kind::PasswordChanged => None,
    };
    let data = Data {
        user_id: message.user_id,
        to: &message.recipient,
        url: page.zip(message.token.as_ref()).map(|(page, token)| link(page, token)),
        token: message.token.as_ref().map(|token| token.expose()),
        expires_at: message.expires_at.map(Timestamp::to_rfc3339),
    };
    let timestamp = message.created_at.to_rfc3339();
    // Strings and numbers: this cannot fail.
    serde_json::to_string(&Body { r#type: message.kind.name(), timestamp, data }).unwrap_or_default()
}
