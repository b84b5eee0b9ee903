//! `DATABASE_URL`, which moves the default database, as for the Python server.

use std::path::PathBuf;

use anyhow::Result;

use crate::console::UsageError;

/// The environment variable.
pub(crate) const NAME: &str = "DATABASE_URL";

/// Parses `sqlite:///relative` or `sqlite:////absolute`.
///
/// # Errors
/// It is another URL. The message does not repeat it: a URL may hold a password.
pub(crate) fn parse(url: &str) -> Result<PathBuf> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let fault = match (url.split_once(':'), url.strip_prefix("sqlite:///")) {
        (None, _) => "is not a URL".to_owned(),
        (Some((scheme, _)), _) if !scheme.chars().all(is_plain) => "is not a URL".to_owned(),
        (Some((scheme, _)), _) if scheme != "sqlite" => format!("has the scheme {scheme}"),
        (_, None) => "has a host or too few slashes".to_owned(),
        (_, Some("" | ":memory:")) => "names no file".to_owned(),
        (_, Some(path)) if path.contains(['?', '#']) => "has options".to_owned(),
        (_, Some(path)) if path.ends_with('/') => "names a directory".to_owned(),
        (_, Some(path)) => return Ok(path.into()),
    };
    let allowed = "allowed are sqlite:///relative/file and sqlite:////absolute/file";
    Err(UsageError(format!("{NAME} {fault}; {allowed}")).into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_fourth_slash_makes_a_path_absolute() {
        assert_eq!(parse("sqlite:///memory/a.db").unwrap(), Path::new("memory/a.db"));
        assert_eq!(parse("sqlite:////var/a.db").unwrap(), Path::new("/var/a.db"));
    }

    #[test]
    fn other_databases_are_refused_without_showing_the_password() {
        let error = parse("postgres://user:geheim@host/db").unwrap_err().to_string();
        assert!(error.contains("DATABASE_URL has the scheme postgres"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
        for url in ["", "a.db", "sqlite://a.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a?b"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
