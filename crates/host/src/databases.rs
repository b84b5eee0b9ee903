//! Which file is behind the name of a database.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::console::Mistake;
use crate::project::Project;
use crate::storage;
use crate::variables::Sources;

/// The environment variable that moves the default database.
pub const URL_VARIABLE: &str = "DATABASE_URL";
/// The name of the database that DATABASE_URL moves.
pub const DEFAULT: &str = "default";

/// The file of the database `name`: where `url` says, or where Spin would have it. Its directory
/// is made if it is missing.
pub fn file(name: &str, url: Option<&str>, project: &Path, state_dir: &Path) -> Result<PathBuf> {
    let path = path(name, url, project, state_dir)?;
    if let Some(parent) = path.parent() {
        storage::create_private_dir(parent)
            .with_context(|| format!("cannot make the directory {}", parent.display()))?;
    }
    Ok(path)
}

/// As [`file`], and makes nothing.
pub fn path(name: &str, url: Option<&str>, project: &Path, state_dir: &Path) -> Result<PathBuf> {
    match url {
        Some(url) if name == DEFAULT => Ok(project.join(path_in_url(url)?)),
        _ if name == DEFAULT => Ok(state_dir.join("sqlite_db.db")),
        _ => {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || !name.chars().all(is_plain) {
                bail!("the database name {name:?} must consist of letters, digits, - and _");
            }
            Ok(state_dir.join(format!("sqlite_{name}.db")))
        }
    }
}

/// Refuses a wrong DATABASE_URL, if the app has the database that it moves.
pub fn check_url(project: &Project, sources: &Sources) -> Result<()> {
    let mut components = project.manifests().flat_map(|manifest| manifest.component.values());
    let is_used = components.any(|component| component.sqlite_databases.iter().any(|name| name == DEFAULT));
    match sources.environment(URL_VARIABLE) {
        Some(url) if is_used => path_in_url(&url).map(drop),
        _ => Ok(()),
    }
}

/// Reads `sqlite:///relative` or `sqlite:////absolute`. The fault never shows the value: a URL may
/// hold a password.
fn path_in_url(url: &str) -> Result<PathBuf> {
    let refused = |fault: &str| {
        Mistake::new(format!(
            "{URL_VARIABLE} {fault}; allowed are sqlite:///relative/file and sqlite:////absolute/file"
        ))
    };
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(refused("is not a URL"));
    };
    if scheme != "sqlite" {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        return Err(match scheme.chars().all(is_plain) {
            true => refused(&format!("has the scheme {scheme}")),
            false => refused("is not a URL"),
        });
    }
    let Some(path) = url.strip_prefix("sqlite:///") else {
        return Err(refused("has a host or too few slashes"));
    };
    if path.is_empty() || path == ":memory:" {
        return Err(refused("names no file"));
    }
    if path.contains(['?', '#']) {
        return Err(refused("has options"));
    }
    if path.ends_with('/') {
        return Err(refused("names a directory"));
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_and_absolute_files_are_told_apart_by_the_fourth_slash() {
        assert_eq!(path_in_url("sqlite:///memory/a.db").unwrap(), Path::new("memory/a.db"));
        assert_eq!(path_in_url("sqlite:////var/a.db").unwrap(), Path::new("/var/a.db"));
    }

    #[test]
    fn other_databases_are_refused_without_showing_the_password() {
        let error = path_in_url("postgres://user:geheim@host/db").unwrap_err().to_string();
        assert!(error.contains("DATABASE_URL has the scheme postgres"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
        for url in ["", "a.db", "sqlite://a.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a?b"] {
            assert!(path_in_url(url).is_err(), "{url}");
        }
    }
}
