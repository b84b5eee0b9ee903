//! An app selected on the command line, with its variables, its state directory and the console.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use lanterne_core::config::Config;
use lanterne_host::{App, Host, HostConfig, Outcomes, StateDir, create_private_dir};
use lanterne_schema::Folder;
use tempfile::TempDir;

use crate::building;
use crate::cli::{Common, Place};
use crate::console::{Console, UsageError};
use crate::database_file;
use crate::embedded;
use crate::variables::{DATABASE_URL, Variables};

/// An app that can be built and run.
pub(crate) struct Project {
    pub(crate) app: App,
    pub(crate) variables: Variables,
    pub(crate) state_dir: StateDir,
    pub(crate) console: Console,
}

/// The scripts of the migrations.
pub(crate) struct Migrations {
    pub(crate) folder: Option<Folder>,
    /// Removed when dropped.
    _unpacked: Option<TempDir>,
}

impl Project {
    /// Reads the app and its variables, some of which are set by `flags`. Writes nothing.
    pub(crate) fn open(place: &Place, flags: &[(String, String)]) -> Result<Self> {
        let app = place.from.app()?;
        let variables = Variables::read(&app, flags)?;
        let path = place.state_dir.as_ref().map_or_else(|| Ok(app.dir.join(".spin")), std::path::absolute)?;
        let mut state_dir = StateDir::new(path);
        if let Some(url) = variables.database_url().filter(|_| has_default_database(&app)) {
            let file = app.dir.join(parse_database_url(url)?);
            check_database_file(&file, state_dir.path())?;
            state_dir = state_dir.with_default_database(file);
        }
        Ok(Self { app, variables, state_dir, console: Console::new(place.from.quiet) })
    }

    /// Builds what is out of date, unless `--no-build` is set.
    pub(crate) fn build(&self, common: &Common) -> Result<()> {
        if common.no_build || self.app.is_embedded() {
            return Ok(());
        }
        building::build(&self.app, false, self.console)
    }

    /// Reads the scripts of the migrations; the folder is `None` if the app was installed without them. Those of an embedded
    /// app are written beside the database.
    pub(crate) fn migrations(&self) -> Result<Migrations> {
        let directory = database_file::directory(self.state_dir.default_database());
        let unpacked = self.app.is_embedded().then(|| embedded::migrations(directory)).transpose()?;
        let path = unpacked.as_ref().map_or_else(|| self.app.dir.join("migrations"), |dir| dir.path().to_owned());
        let folder = path.is_dir().then(|| Folder::read(&path)).transpose()?;
        Ok(Migrations { folder, _unpacked: unpacked })
    }

    /// Creates the host, and with it the state directory. A server also follows `config`, that of the API, and measures
    /// what it does if `metrics` says what is counted.
    pub(crate) fn into_host(self, config: Option<&Config>, metrics: Option<Vec<Outcomes>>) -> Result<Host> {
        self.create_state_dir()?;
        let config = HostConfig {
            variables: self.variables.values(&self.app),
            state_dir: self.state_dir,
            inherit_output: self.console.shows_components(),
            client_ip_header: config.and_then(|config| config.client_ip_header.clone()),
            cors_origins: config.map(|config| config.cors_origins.clone()).unwrap_or_default(),
            metrics,
        };
        Host::new(self.app, config)
    }

    /// Creates the state directory, and checks that files can be created in it and beside the database: SQLite would only
    /// report that it cannot open them.
    fn create_state_dir(&self) -> Result<()> {
        let path = self.state_dir.path();
        let hint = || format!("cannot use {} for state: choose another directory with --state-dir", path.display());
        create_private_dir(path).and_then(|()| check_writable(path)).with_context(hint)?;
        if self.variables.database_url().is_some() {
            check_writable(database_file::directory(self.state_dir.default_database())).context(DATABASE_URL)?;
        }
        Ok(())
    }
}

/// Checks that files can be created in a directory. A full disk is no reason not to start.
fn check_writable(directory: &Path) -> Result<()> {
    match tempfile::tempfile_in(directory) {
        Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Err(error).with_context(|| format!("cannot write to {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Checks that `file` is or can become a database. Its directory is not created, unless it is the state directory: that would
/// hide a typing mistake.
fn check_database_file(file: &Path, state_dir: &Path) -> Result<()> {
    let directory = database_file::directory(file);
    if file.is_dir() {
        bail!(UsageError(format!("{DATABASE_URL}: {} is a directory; name a file in it", file.display())));
    }
    if !directory.is_dir() && directory != state_dir {
        let shown = directory.display();
        bail!(UsageError(format!("{DATABASE_URL}: there is no directory {shown}; create it, or correct the path")));
    }
    Ok(())
}

fn has_default_database(app: &App) -> bool {
    let mut components = app.manifests().flat_map(|manifest| manifest.component.values());
    components.any(|component| component.sqlite_databases.iter().any(|name| name == "default"))
}

/// Parses `sqlite:///relative` or `sqlite:////absolute`. An error does not repeat the URL, which may hold a password.
fn parse_database_url(url: &str) -> Result<PathBuf> {
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
    bail!(UsageError(format!("{DATABASE_URL} {fault}; {allowed}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_fourth_slash_makes_a_path_absolute() {
        assert_eq!(parse_database_url("sqlite:///memory/a.db").unwrap(), Path::new("memory/a.db"));
        assert_eq!(parse_database_url("sqlite:////var/a.db").unwrap(), Path::new("/var/a.db"));
    }

    #[test]
    fn other_databases_are_refused_without_showing_the_password() {
        let error = parse_database_url("postgres://user:geheim@host/db").unwrap_err().to_string();
        assert!(error.contains("DATABASE_URL has the scheme postgres"), "{error}");
        assert!(!error.contains("geheim"), "{error}");
        for url in ["", "a.db", "sqlite://a.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a?b"] {
            assert!(parse_database_url(url).is_err(), "{url}");
        }
    }
}
