//! What the commands have in common: the app, its components built, its host.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::building;
use crate::cli::{Common, Place};
use lanterne_host::command;
use lanterne_host::console::Console;
use lanterne_host::databases;
use lanterne_host::engine;
use lanterne_host::host::Host;
use lanterne_host::project::Project;
use lanterne_host::storage;
use lanterne_host::storage::limits::Limits;
use lanterne_host::variables::Sources;

/// An app that is about to run.
pub(crate) struct Session {
    /// The app.
    pub(crate) project: Arc<Project>,
    /// Where its state is kept.
    pub(crate) state_dir: PathBuf,
    /// Where its variables come from.
    pub(crate) sources: Sources,
    /// What the user sees.
    pub(crate) console: Console,
}

impl Session {
    /// Reads the app and the variables. Nothing is written yet.
    pub(crate) fn new(common: &Common) -> Result<Self> {
        Self::at(&common.place, &common.variables)
    }

    /// As [`Session::new`], for commands that run no components.
    pub(crate) fn at(place: &Place, variables: &[(String, String)]) -> Result<Self> {
        let project = Project::read(&place.from.from)?;
        let state_dir = match &place.state_dir {
            Some(dir) => std::path::absolute(dir)?,
            None => project.dir.join(".spin"),
        };
        let sources = Sources::new(&project, variables)?;
        // Found out now rather than after a build.
        databases::check_url(&project, &sources)?;
        Ok(Self { sources, project: Arc::new(project), state_dir, console: Console::new(place.from.quiet) })
    }

    /// The file of the app's database, which need not be there.
    pub(crate) fn database(&self) -> Result<PathBuf> {
        let url = self.sources.environment(databases::URL_VARIABLE);
        databases::path(databases::DEFAULT, url.as_deref(), &self.project.dir, &self.state_dir)
    }

    /// Builds what is out of date, unless told not to.
    pub(crate) fn build(&self, common: &Common) -> Result<()> {
        if common.no_build {
            return Ok(());
        }
        building::build(&self.project, false, self.console)
    }

    /// Makes the state directory and the host.
    pub(crate) fn into_host(self) -> Result<Host> {
        storage::create_private_dir(&self.state_dir)
            .with_context(|| format!("cannot make the directory {}", self.state_dir.display()))?;
        Host::new(self.project, self.sources, self.state_dir, self.console)
    }
}

/// Runs the command component `name` of `project` with `words`; gives its exit status.
pub(crate) fn run_command(
    host: &Host,
    guests: &Runtime,
    project: &Project,
    name: &str,
    words: &[String],
) -> Result<i32> {
    let command = host.load(project.require_command(name)?, name, Limits::COMMAND)?;
    guests.block_on(command::run(host, &command, words))
}

/// `lanterne migrate`, `lanterne seed` and `lanterne prune`.
pub(crate) fn run_one(common: &Common, name: &str, words: &[String]) -> Result<i32> {
    let mut session = Session::new(common)?;
    session.console = session.console.beside_output();
    let project = session.project.clone();
    project.require_command(name)?;
    session.build(common)?;
    let host = session.into_host()?;
    run_command(&host, &engine::guest_runtime()?, &project, name, words)
}
