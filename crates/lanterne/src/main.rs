//! `lanterne`: a small native host for the components of a Spin app.
//!
//! From what the user says to what runs:
//! [`cli`] is the command line; [`up`] is `lanterne up`, and [`session`] what all commands share. [`building`] builds the
//! components, which `lanterne_host` runs.
//!
//! Without components: [`revision`] makes migrations; [`backup`] and [`restore`] copy the database, with
//! [`database_file`], [`replacement`], and [`alembic`] for those of the Python server.

mod cli;
mod session;
mod up;

mod building;
mod revision;

mod alembic;
mod backup;
mod database_file;
mod replacement;
mod restore;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use cli::{Cli, Command};
use lanterne_host::console::{self, Console, Mistake};
use lanterne_host::project::Project;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        // A process has 8 bits for its status; what does not fit must not look like success.
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            console::fault(format_args!("{error:#}"));
            ExitCode::from(if error.is::<Mistake>() { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> Result<i32> {
    match cli.command {
        Command::Up(up) => up::run(&up),
        Command::Build(flags) => {
            let project = Project::read(&flags.from.from)?;
            building::build(&project, true, Console::new(flags.from.quiet))?;
            Ok(0)
        }
        Command::Migrate(migrate) => match migrate.revision() {
            Some(revision) => revision::run(&migrate.common.place.from, &revision),
            None => session::run_one(&migrate.common, "migrate", &migrate.words),
        },
        Command::Seed(seed) => session::run_one(&seed.common, "seed", &seed.words),
        Command::Prune(prune) => session::run_one(&prune.common, "prune", &prune.words),
        Command::Backup(backup) => backup::run(&backup),
        Command::Restore(restore) => restore::run(&restore),
    }
}
