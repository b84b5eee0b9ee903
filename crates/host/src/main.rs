//! `lanterne`: a small native host for the components of a Spin app.
//!
//! From what the user says to what runs:
//! [`cli`] is the command line; [`up`] is `lanterne up`, and [`session`] what all commands share.
//! [`project`], [`manifest`], [`variables`], [`dotenv`] and [`databases`] read the app;
//! [`building`] builds it. [`host`] makes components ready: [`engine`], its [`clock`] and
//! [`component_cache`] compile and drive them, [`imports`] checks what they ask for, [`interfaces`] and [`storage`] are what they
//! get. [`serve`] answers requests with them, [`command`] runs one to its end.
//!
//! Without components: [`revision`] makes migrations; [`backup`] and [`restore`] copy the database, with
//! [`database_file`], [`replacement`], and [`alembic`] for those of the Python server.

mod cli;
mod console;

mod session;
mod up;

mod building;
mod databases;
mod dotenv;
mod manifest;
mod project;
mod variables;

mod clock;
mod component_cache;
mod engine;
mod host;
mod imports;
mod state;

mod bindings;
mod interfaces;
mod storage;

mod command;
mod serve;

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
use console::Mistake;

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
            let project = project::Project::read(&flags.from.from)?;
            building::build(&project, true, console::Console::new(flags.from.quiet))?;
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
