//! An app as the command line names it: its variables, its state, and what is printed about it.

use anyhow::Result;
use lanterne_host::{App, Host, HostConfig, StateDir};

use crate::building;
use crate::cli::{Common, Place};
use crate::console::Console;
use crate::database_url;
use crate::variables::Variables;

/// An app that can be built and run.
pub(crate) struct Project {
    pub(crate) app: App,
    pub(crate) variables: Variables,
    pub(crate) state_dir: StateDir,
    pub(crate) console: Console,
}

impl Project {
    /// Reads the app and its variables, of which `flags` set some. Nothing is written.
    pub(crate) fn open(place: &Place, flags: &[(String, String)]) -> Result<Self> {
        let app = place.from.app()?;
        let variables = Variables::read(&app, flags)?;
        let path = place.state_dir.as_ref().map_or_else(|| Ok(app.dir.join(".spin")), std::path::absolute)?;
        let mut state_dir = StateDir::new(path);
        if let Some(url) = variables.environment(database_url::NAME).filter(|_| has_default_database(&app)) {
            state_dir = state_dir.with_default_database(app.dir.join(database_url::parse(&url)?));
        }
        Ok(Self { app, variables, state_dir, console: Console::new(place.from.quiet) })
    }

    /// Builds what is out of date, unless `--no-build` is set.
    pub(crate) fn build(&self, common: &Common) -> Result<()> {
        if common.no_build {
            return Ok(());
        }
        building::build(&self.app, false, self.console)
    }

    /// Makes the host, and with it the state directory.
    pub(crate) fn into_host(self) -> Result<Host> {
        self.console.print_log();
        let config = HostConfig {
            variables: self.variables.values(&self.app),
            state_dir: self.state_dir,
            inherit_output: self.console.shows_components(),
        };
        Host::new(self.app, config)
    }
}

fn has_default_database(app: &App) -> bool {
    let mut components = app.manifests().flat_map(|manifest| manifest.component.values());
    components.any(|component| component.sqlite_databases.iter().any(|name| name == "default"))
}
