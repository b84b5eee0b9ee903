//! The configuration: the app's variables, checked as a whole before the first request.

mod keys;
mod mail;
mod origin;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub use self::mail::{EmailVerification, Mail, MailConfig, Webhook};
use crate::password::Cost;
use crate::token::Keys;

/// The names of all variables.
pub const VARIABLES: [&str; 29] = [
    "secret_key",
    "secret_key_previous",
    "token_algorithm",
    "token_private_key",
    "token_private_key_previous",
    "token_issuer",
    "token_audience",
    "debug",
    "access_token_expire_minutes",
    "refresh_token_expire_days",
    "session_absolute_days",
    "cors_origins",
    "bcrypt_cost",
    "throttle",
    "client_ip_header",
    "docs",
    "mail",
    "mail_webhook_url",
    "mail_webhook_path",
    "mail_webhook_secret",
    "mail_after_reply",
    "password_reset_url",
    "password_reset_expire_minutes",
    "email_verification",
    "email_verification_url",
    "email_verification_expire_hours",
    "registration",
    "refresh_retry_seconds",
    "password_blocklist",
];

/// The checked configuration of one server.
pub struct Config {
    /// The keys of tokens and fingerprints.
    pub keys: Keys,
    /// Logs more; never changes a response.
    pub debug: bool,
    /// The lifetime of an access token.
    pub access_ttl: Duration,
    /// The lifetime of a refresh token, and so of an unused session.
    pub refresh_ttl: Duration,
    /// The lifetime of a session, however often it is refreshed.
    pub session_absolute: Duration,
    /// The origins that browsers may send requests from, as browsers send them, in lower case.
    pub cors_origins: Vec<String>,
    /// The work factor of new password hashes.
    pub bcrypt_cost: Cost,
    /// Whether failed logins are limited.
    pub throttle: bool,
    /// The header in which a trusted proxy passes the client's address, in lower case.
    pub client_ip_header: Option<String>,
    /// Whether /docs, /redoc and /openapi.json exist.
    pub docs: bool,
    /// Messages, and what their tokens are good for.
    pub mail: MailConfig,
    /// Whether the API delivers messages after the reply to the request that wrote them.
    pub mail_after_reply: bool,
    /// Whether anybody can register.
    pub registration: bool,
    /// How long after its use a refresh token gets the same successors again; zero: never.
    pub refresh_retry: Duration,
    /// Whether common passwords are refused.
    pub password_blocklist: bool,
}

/// All invalid variables.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<InvalidVariable>);

/// A variable, the fault of its value, and what is allowed. Never contains a secret.
#[derive(Debug, PartialEq, Eq)]
struct InvalidVariable {
    variable: &'static str,
    fault: String,
    allowed: String,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, InvalidVariable { variable, fault, allowed }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{variable} {fault}; allowed: {allowed}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads all variables through `lookup`, which maps a name of [`VARIABLES`] to its value. A missing or empty variable has
    /// its default; the secret has none, and empty `cors_origins` allow no origin.
    ///
    /// # Errors
    /// All invalid variables at once.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut reader = VariableReader { lookup: &lookup, faults: Vec::new() };
        let config = Self {
            keys: reader.keys(),
            debug: reader.flag("debug", false),
            access_ttl: minutes(reader.number("access_token_expire_minutes", 30, "whole minutes", 1..=1440)),
            refresh_ttl: days(reader.number("refresh_token_expire_days", 7, "whole days", 1..=365)),
            session_absolute: days(reader.number("session_absolute_days", 90, "whole days", 1..=3650)),
            cors_origins: reader.origins(),
            bcrypt_cost: reader.cost(),
            throttle: reader.flag("throttle", true),
            client_ip_header: reader.header("client_ip_header"),
            docs: reader.flag("docs", true),
            mail: reader.mail(),
            mail_after_reply: reader.flag("mail_after_reply", true),
            registration: reader.choice("registration", &[("open", true), ("closed", false)]),
            refresh_retry: Duration::from_secs(reader.number("refresh_retry_seconds", 0, "whole seconds", 0..=60)),
            password_blocklist: reader.flag("password_blocklist", false),
        };
        reader.finish(config)
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// Reads variables and collects their faults; an invalid one reads as its default.
struct VariableReader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<InvalidVariable>,
}

impl VariableReader<'_> {
    /// Returns `config` if no variable is invalid.
    fn finish<T>(self, config: T) -> Result<T, ConfigErrors> {
        if self.faults.is_empty() { Ok(config) } else { Err(ConfigErrors(self.faults)) }
    }

    /// Reads one of several words, the first of which is the default.
    fn choice<T: Copy>(&mut self, variable: &'static str, choices: &[(&str, T)]) -> T {
        let default = choices[0].1;
        let Some(value) = self.text(variable) else { return default };
        let chosen = choices.iter().find(|(word, _)| value.eq_ignore_ascii_case(word));
        chosen.map_or_else(
            || {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                self.refuse(variable, format!("is {value:?}"), words.join(" or "));
                default
            },
            |(_, choice)| *choice,
        )
    }

    fn text(&self, variable: &str) -> Option<String> {
        let value = (self.lookup)(variable)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn refuse(&mut self, variable: &'static str, fault: impl Into<String>, allowed: impl Into<String>) {
        self.faults.push(InvalidVariable { variable, fault: fault.into(), allowed: allowed.into() });
    }

    fn flag(&mut self, variable: &'static str, default: bool) -> bool {
        let Some(value) = self.text(variable) else { return default };
        match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => true,
            "off" | "false" | "no" | "0" => false,
            _ => {
                self.refuse(variable, format!("is {value:?}"), "on or off (also true, false, 1, 0, yes, no)");
                default
            }
        }
    }

    fn number<T: FromStr + PartialOrd + fmt::Display>(
        &mut self,
        variable: &'static str,
        default: T,
        unit: &str,
        range: RangeInclusive<T>,
    ) -> T {
        let Some(value) = self.text(variable) else { return default };
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let allowed = format!("{unit}, {} to {}", range.start(), range.end());
                self.refuse(variable, format!("is {value:?}"), allowed);
                default
            }
        }
    }

    fn cost(&mut self) -> Cost {
        let cost = self.number("bcrypt_cost", 12, "a whole number", Cost::MIN..=Cost::MAX);
        Cost::new(cost).unwrap_or_default()
    }

    fn origins(&mut self) -> Vec<String> {
        const VARIABLE: &str = "cors_origins";
        const ALLOWED: &str =
            "origins like https://app.example.org or capacitor://localhost, separated by commas or as a JSON list";
        let value = (self.lookup)(VARIABLE).unwrap_or_else(|| "http://localhost:3000,http://localhost:8000".to_owned());
        let value = value.trim();
        let list = if value.starts_with('[') {
            serde_json::from_str::<Vec<String>>(value).ok()
        } else {
            Some(value.split(',').map(|origin| origin.trim().to_owned()).filter(|origin| !origin.is_empty()).collect())
        };
        let Some(list) = list else {
            self.refuse(VARIABLE, "is no JSON list of texts", ALLOWED);
            return Vec::new();
        };
        let mut origins = Vec::with_capacity(list.len());
        for text in &list {
            match origin::normalize(text.trim()) {
                Some(origin) => origins.push(origin),
                None => self.refuse(VARIABLE, format!("has {text:?}"), ALLOWED),
            }
        }
        origins
    }

    fn header(&mut self, variable: &'static str) -> Option<String> {
        let value = self.text(variable)?;
        let name = value.to_ascii_lowercase();
        let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        // The host itself sets the headers spin-*; a proxy does not.
        if !is_token || name.starts_with("spin-") {
            let allowed = "the name of one header that a proxy sets, such as x-forwarded-for, or empty";
            self.refuse(variable, format!("is {value:?}"), allowed);
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests;
