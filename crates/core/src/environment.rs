//! The variable `lanterne_env`: whether accounts with public passwords may be created.

use std::str::FromStr;

/// The name of the variable.
pub const VARIABLE: &str = "lanterne_env";

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Accounts with public passwords are useful.
    Development,
    /// Everybody could log in to such accounts.
    Production,
}

/// A value that is none of the known ones: a mistyped `production` must not count as development.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is {0:?}; allowed: development or dev, production or prod")]
pub struct UnknownEnvironment(String);

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    /// Parses a value in any case; an empty one is the default, development.
    fn from_str(value: &str) -> Result<Self, UnknownEnvironment> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "development" | "dev" => Ok(Self::Development),
            "production" | "prod" => Ok(Self::Production),
            _ => Err(UnknownEnvironment(value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_value_is_refused() {
        for (value, environment) in [
            ("", Environment::Development),
            ("development", Environment::Development),
            (" Dev ", Environment::Development),
            ("production", Environment::Production),
            ("PROD", Environment::Production),
        ] {
            assert_eq!(value.parse(), Ok(environment), "{value}");
        }
        let error = "produciton".parse::<Environment>().unwrap_err().to_string();
        assert_eq!(error, "lanterne_env is \"produciton\"; allowed: development or dev, production or prod");
    }
}
