//! The variables of the app, read once and checked whole: a bad value is named before the first request is served.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::password::Cost;
use crate::token::Keys;

/// The shortest signing key: as long as the hash, 256 bits (RFC 7518, section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// Keys that stand in tutorials, examples and the Python server's own default: no secret to anybody.
const PLACEHOLDERS: [&str; 5] = [
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "your-secret-key",
    "change-me",
    "changeme",
    "secret-key-here",
];

/// The names that [`Config::from_lookup`] asks for.
pub const VARIABLES: [&str; 11] = [
    "secret_key",
    "secret_key_previous",
    "debug",
    "access_token_expire_minutes",
    "refresh_token_expire_days",
    "session_absolute_days",
    "cors_origins",
    "bcrypt_cost",
    "throttle",
    "client_ip_header",
    "docs",
];

/// The checked configuration of one server.
pub struct Config {
    /// What signs and verifies tokens.
    pub keys: Keys,
    /// More log; never changes what a client sees.
    pub debug: bool,
    /// How long an access token is valid.
    pub access_ttl: Duration,
    /// How long a refresh token is valid, and so a session that is not used.
    pub refresh_ttl: Duration,
    /// How long a chain of refreshes may last from its login.
    pub session_absolute: Duration,
    /// The web origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// The work factor of new password hashes.
    pub bcrypt_cost: Cost,
    /// Whether repeated login failures are slowed.
    pub throttle: bool,
    /// The header in which a trusted proxy says who the client is, in lower case.
    pub client_ip_header: Option<String>,
    /// Whether /docs, /redoc and /openapi.json exist.
    pub docs: bool,
}

/// Every variable that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Fault>);

/// One variable, what is wrong with its value, and what is allowed. Secrets are never repeated.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    variable: &'static str,
    fault: String,
    allowed: &'static str,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Fault { variable, fault, allowed }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{variable} {fault}; allowed: {allowed}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads all variables through `lookup` (a variable's name in lower case to its value, if it has one); a missing
    /// or empty one has its default, except that the secret has none and that no origins is a choice.
    ///
    /// # Errors
    /// All faults at once.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader { lookup: &lookup, faults: Vec::new() };
        let config = Self {
            keys: reader.keys(),
            debug: reader.flag("debug", false),
            access_ttl: minutes(reader.number("access_token_expire_minutes", 30, "whole minutes, 1 to 1440", 1..=1440)),
            refresh_ttl: days(reader.number("refresh_token_expire_days", 7, "whole days, 1 to 365", 1..=365)),
            session_absolute: days(reader.number("session_absolute_days", 90, "whole days, 1 to 3650", 1..=3650)),
            cors_origins: reader.origins(),
            bcrypt_cost: reader.cost(),
            throttle: reader.flag("throttle", true),
            client_ip_header: reader.header("client_ip_header"),
            docs: reader.flag("docs", true),
        };
        if reader.faults.is_empty() { Ok(config) } else { Err(ConfigErrors(reader.faults)) }
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// Reads variables and collects what is wrong with them; a faulty one reads as its default.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn text(&self, variable: &str) -> Option<String> {
        let value = (self.lookup)(variable)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn refuse(&mut self, variable: &'static str, fault: impl Into<String>, allowed: &'static str) {
        self.faults.push(Fault { variable, fault: fault.into(), allowed });
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

    fn number<T: FromStr + PartialOrd>(
        &mut self,
        variable: &'static str,
        default: T,
        allowed: &'static str,
        range: std::ops::RangeInclusive<T>,
    ) -> T {
        let Some(value) = self.text(variable) else { return default };
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.refuse(variable, format!("is {value:?}"), allowed);
                default
            }
        }
    }

    fn cost(&mut self) -> Cost {
        let cost = self.number("bcrypt_cost", 12, "a whole number, 10 to 15", Cost::MIN..=Cost::MAX);
        Cost::new(cost).unwrap_or_default()
    }

    fn keys(&mut self) -> Keys {
        const ALLOWED: &str = "at least 32 bytes that nobody can guess, as `openssl rand -hex 32` prints";
        let current = (self.lookup)("secret_key").filter(|key| !key.trim().is_empty());
        match &current {
            None => self.refuse("secret_key", "is not set", ALLOWED),
            Some(key) => self.check_secret("secret_key", key, ALLOWED),
        }
        let previous = (self.lookup)("secret_key_previous").filter(|key| !key.trim().is_empty());
        if let Some(key) = &previous {
            self.check_secret(
                "secret_key_previous",
                key,
                "empty, or the former secret_key, which had at least 32 bytes too",
            );
        }
        Keys::new(current.unwrap_or_default().as_bytes(), previous.as_deref().map(str::as_bytes))
    }

    fn check_secret(&mut self, variable: &'static str, key: &str, allowed: &'static str) {
        let lower = key.to_ascii_lowercase();
        if PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder)) {
            self.refuse(variable, "is a placeholder that everybody knows", allowed);
        } else if key.len() < SECRET_BYTES_MIN {
            self.refuse(variable, format!("has only {} bytes", key.len()), allowed);
        }
    }

    fn origins(&mut self) -> Vec<String> {
        const VARIABLE: &str = "cors_origins";
        const ALLOWED: &str = "origins like https://app.example.org, separated by commas or as a JSON list";
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
        if let Some(origin) = list.iter().find(|origin| !is_origin(origin)) {
            self.refuse(VARIABLE, format!("has {origin:?}"), ALLOWED);
        }
        list
    }

    fn header(&mut self, variable: &'static str) -> Option<String> {
        let value = self.text(variable)?;
        let token = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !token {
            self.refuse(variable, format!("is {value:?}"), "the name of one header, such as x-forwarded-for, or empty");
        }
        Some(value.to_ascii_lowercase())
    }
}

/// Whether a browser could send this as `Origin` (RFC 6454, section 6.2): scheme, host and perhaps port, no path.
/// `*` is refused: with credentials, which this API allows, browsers would not take it.
fn is_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    rest.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*,\"\\".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned()).or_else(|| (name == "secret_key").then(|| SECRET.to_owned()))
        };
        Config::from_lookup(lookup).map_err(|errors| errors.to_string())
    }

    fn accepted(variables: &[(&str, &str)]) -> Config {
        read(variables).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = accepted(&[]);
        assert_eq!(config.access_ttl.as_secs(), 30 * 60);
        assert_eq!(config.refresh_ttl.as_secs(), 7 * 86_400);
        assert_eq!(config.session_absolute.as_secs(), 90 * 86_400);
        assert_eq!(config.cors_origins, ["http://localhost:3000", "http://localhost:8000"]);
        assert_eq!(config.bcrypt_cost, Cost::default());
        assert!(config.throttle && config.docs && !config.debug && config.client_ip_header.is_none());
    }

    #[test]
    fn origins_come_with_commas_or_as_json() {
        for value in ["https://a.example, http://b.example:81", r#"["https://a.example","http://b.example:81"]"#] {
            let config = accepted(&[("cors_origins", value)]);
            assert_eq!(config.cors_origins, ["https://a.example", "http://b.example:81"]);
        }
        assert!(read(&[("cors_origins", "")]).is_ok_and(|config| config.cors_origins.is_empty()));
    }

    #[test]
    fn each_bad_value_is_named_with_its_fault_and_what_is_allowed() {
        for (variable, value, line) in [
            ("secret_key", "", "secret_key is not set; allowed: at least 32 bytes"),
            ("secret_key", "short", "secret_key has only 5 bytes; allowed: at least 32 bytes"),
            ("secret_key", "your-secret-key-here-your-secret-key-here", "secret_key is a placeholder"),
            ("secret_key", PLACEHOLDERS[0], "secret_key is a placeholder"),
            ("secret_key_previous", "short", "secret_key_previous has only 5 bytes"),
            ("debug", "maybe", "debug is \"maybe\"; allowed: on or off"),
            (
                "access_token_expire_minutes",
                "0",
                "access_token_expire_minutes is \"0\"; allowed: whole minutes, 1 to 1440",
            ),
            ("refresh_token_expire_days", "7.5", "refresh_token_expire_days is \"7.5\"; allowed: whole days"),
            ("session_absolute_days", "-1", "session_absolute_days is \"-1\"; allowed: whole days"),
            ("cors_origins", "*", "cors_origins has \"*\"; allowed: origins like"),
            ("cors_origins", "https://a.example/", "cors_origins has \"https://a.example/\""),
            ("cors_origins", "[1]", "cors_origins is no JSON list"),
            ("bcrypt_cost", "9", "bcrypt_cost is \"9\"; allowed: a whole number, 10 to 15"),
            ("throttle", "2", "throttle is \"2\"; allowed: on or off"),
            ("client_ip_header", "x forwarded", "client_ip_header is \"x forwarded\"; allowed: the name of one header"),
            ("docs", "?", "docs is \"?\"; allowed: on or off"),
        ] {
            let Err(message) = read(&[(variable, value)]) else { panic!("{variable}={value} was accepted") };
            assert!(message.starts_with(line), "{message}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once_and_no_secret_is_repeated() {
        let Err(message) = read(&[("secret_key", "hunter2"), ("docs", "x"), ("debug", "y")]) else {
            panic!("accepted")
        };
        assert_eq!(message.lines().count(), 3);
        assert!(!message.contains("hunter2"));
    }
}
