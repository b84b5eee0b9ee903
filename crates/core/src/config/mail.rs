//! The variables of messages: where they go, and the pages and lifetimes of their tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};

use super::{ConfigErrors, VariableReader, minutes};

/// The prefix of the secret of a webhook (Standard Webhooks, "Signature scheme").
const SECRET_PREFIX: &str = "whsec_";
/// The sizes of this secret that Standard Webhooks allows.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The settings of messages, which commands need without the rest of the configuration.
pub struct MailConfig {
    /// What becomes of messages.
    pub mail: Mail,
    /// The page for a new password, whose URL gets `?token=...`.
    pub password_reset_url: Option<String>,
    /// The lifetime of a token to set a new password.
    pub password_reset_ttl: Duration,
    /// What is expected of addresses.
    pub email_verification: EmailVerification,
    /// The page that verifies an address, whose URL gets `?token=...`.
    pub email_verification_url: Option<String>,
    /// The lifetime of a token to verify an address.
    pub email_verification_ttl: Duration,
}

/// What becomes of messages.
pub enum Mail {
    /// None are written.
    Off,
    /// Each is a line in the log, with its token: for development.
    Log,
    /// Each is posted to the app, which sends it.
    Webhook(Box<Webhook>),
}

/// Where messages are posted.
pub struct Webhook {
    /// The URL.
    pub url: String,
    key: HS256Key,
}

/// What is expected of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailVerification {
    /// Nothing.
    Off,
    /// New addresses get a message, and a changed one counts when it is verified.
    On,
    /// An account can log in when its address is verified.
    Required,
}

impl MailConfig {
    /// The names of these variables.
    pub const VARIABLES: [&str; 9] = [
        "mail",
        "mail_webhook_url",
        "mail_webhook_path",
        "mail_webhook_secret",
        "password_reset_url",
        "password_reset_expire_minutes",
        "email_verification",
        "email_verification_url",
        "email_verification_expire_hours",
    ];

    /// Reads these variables, as [`super::Config::from_lookup`] does.
    ///
    /// # Errors
    /// All invalid variables at once.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut reader = VariableReader { lookup: &lookup, faults: Vec::new() };
        let config = reader.mail();
        reader.finish(config)
    }

    /// Returns whether messages are written and delivered.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.mail, Mail::Off)
    }
}

impl Webhook {
    /// Returns the signature of a message that is sent at this Unix time (Standard Webhooks, "Signature scheme").
    #[must_use]
    pub fn signature(&self, message_id: &str, timestamp: i64, body: &str) -> String {
        let tag = self.key.authentication_tag(format!("{message_id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

impl VariableReader<'_> {
    pub(super) fn mail(&mut self) -> MailConfig {
        let faults = self.faults.len();
        let mail = self.destination();
        let is_read = self.faults.len() == faults;
        let choices =
            [("off", EmailVerification::Off), ("on", EmailVerification::On), ("required", EmailVerification::Required)];
        let email_verification = self.choice("email_verification", &choices);
        if is_read && matches!(mail, Mail::Off) && email_verification != EmailVerification::Off {
            let fault = "needs messages, but mail is off";
            self.refuse("email_verification", fault, "off, unless mail is log or webhook");
        }
        let reset_minutes = self.number("password_reset_expire_minutes", 30, "whole minutes", 1..=1440);
        let verification_hours = self.number("email_verification_expire_hours", 24, "whole hours", 1..=720);
        MailConfig {
            mail,
            password_reset_url: self.page("password_reset_url"),
            password_reset_ttl: minutes(reset_minutes),
            email_verification,
            email_verification_url: self.page("email_verification_url"),
            email_verification_ttl: minutes(60 * verification_hours),
        }
    }

    fn destination(&mut self) -> Mail {
        let (url, path, key) = (self.page("mail_webhook_url"), self.webhook_path(), self.webhook_key());
        let is_webhook = self.choice("mail", &[("off", None), ("log", Some(false)), ("webhook", Some(true))]);
        match is_webhook {
            None => return Mail::Off,
            Some(false) => return Mail::Log,
            Some(true) => {}
        }
        for variable in ["mail_webhook_url", "mail_webhook_secret"] {
            if self.text(variable).is_none() {
                self.refuse(variable, "is not set, but mail is webhook", allowed(variable));
            }
        }
        if path.is_some() && url.as_ref().is_some_and(|url| url.contains('?')) {
            self.refuse("mail_webhook_path", "cannot follow the query of mail_webhook_url", "empty");
        }
        url.zip(key).map_or(Mail::Off, |(url, key)| {
            let url = path.map_or_else(|| url.clone(), |path| format!("{}{path}", url.trim_end_matches('/')));
            Mail::Webhook(Box::new(Webhook { url, key }))
        })
    }

    /// Reads the path that is appended to the URL. On Spin that has none: the manifest grants it, and grants have no path.
    fn webhook_path(&mut self) -> Option<String> {
        const VARIABLE: &str = "mail_webhook_path";
        let path = self.text(VARIABLE)?;
        if !path.starts_with('/') || !path.bytes().all(is_plain) {
            self.refuse(VARIABLE, format!("is {path:?}"), "empty, or a path like /webhooks/mail");
        }
        Some(path)
    }

    /// Reads an absolute URL, to which a query can be added.
    fn page(&mut self, variable: &'static str) -> Option<String> {
        let value = self.text(variable)?;
        if is_page(&value) {
            return Some(value);
        }
        self.refuse(variable, format!("is {value:?}"), allowed(variable));
        None
    }

    fn webhook_key(&mut self) -> Option<HS256Key> {
        const VARIABLE: &str = "mail_webhook_secret";
        let value = self.text(VARIABLE)?;
        let key = value.strip_prefix(SECRET_PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
        match key {
            None => self.refuse(VARIABLE, "is not whsec_ and Base64", allowed(VARIABLE)),
            Some(key) if !SECRET_BYTES.contains(&key.len()) => {
                self.refuse(VARIABLE, format!("has {} bytes", key.len()), allowed(VARIABLE));
            }
            Some(key) => return Some(HS256Key::from_bytes(&key)),
        }
        None
    }
}

/// Describes what one of the variables may be.
fn allowed(variable: &str) -> String {
    match variable {
        "mail_webhook_secret" => {
            let (min, max) = (SECRET_BYTES.start(), SECRET_BYTES.end());
            format!("whsec_ and the Base64 of {min} to {max} bytes, as `echo whsec_$(openssl rand -base64 32)` prints")
        }
        "mail_webhook_url" => "a URL like https://app.example.org/webhooks/mail".to_owned(),
        _ => "empty, or the URL of a page like https://app.example.org/page, without #".to_owned(),
    }
}

/// Returns whether this is an absolute URL of HTTP without credentials and fragment (RFC 3986, section 3).
fn is_page(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        // No `*` and no range of ports, which the manifest would grant.
        let is_host = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        rest.bytes().all(is_plain)
            && is_host
            && !authority.contains("..")
            && !matches!(authority.as_bytes(), [] | [b':', ..])
    })
}

/// Returns whether this byte may occur in a URL without a fragment.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte)
}
