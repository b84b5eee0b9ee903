//! `lanterne`: builds, migrates, serves and backs up a Spin app, without Spin.
//!
//! [`cli`] is the command line with its [`help`], [`arguments`] sorts it, [`console`] the output, [`logger`] the log of a
//! server. A [`project`] is an app, perhaps an [`embedded`] one, with its [`variables`]; [`exposure`] warns of files that
//! others can read, [`building`] builds it, and the crate `lanterne_host` runs it. Larger commands have a file of their own:
//! [`up`] with [`signals`], [`metrics`] and [`watch`], [`revision`], [`health`], [`backup`], and [`restore`] with
//! [`replacement`]; [`contents`] compares copies. [`downgrade`] refuses what would break a running server.

mod arguments;
mod cli;
mod console;
mod help;
mod logger;

mod dotenv;
mod embedded;
mod exposure;
mod project;
mod variables;

mod building;
mod downgrade;
mod health;
mod metrics;
mod revision;
mod signals;
mod up;
mod watch;

mod backup;
mod contents;
mod database_file;
mod replacement;
mod restore;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command, Common, Migrate};
use console::{Console, UsageError};
use project::Project;

/// Returns freed memory to the system; glibc's allocator keeps most of it after a peak.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words = arguments::sort(std::env::args_os().collect(), &Cli::command());
    let result = words.map_err(anyhow::Error::from).and_then(|words| run(Cli::parse_from(words)));
    log::logger().flush();
    match result {
        // An exit status has 8 bits: a value beyond them must not be truncated to 0.
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            console::error(format_args!("{error:#}"));
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

/// Runs the command and returns the exit status.
fn run(cli: Cli) -> Result<i32> {
    match cli.command {
        Command::Up(up) => return up::run(&up),
        Command::Migrate(Migrate { component: migrate, yes }) => match migrate.revision() {
            Some(revision) => revision::run(&migrate.common.place.from, &revision)?,
            None => {
                downgrade::check(&migrate, yes)?;
                return run_component(&migrate.common, "migrate", &migrate.words);
            }
        },
        Command::Seed(seed) => {
            // Standard output is the user's own here.
            let words = [&["--print-password".to_owned()], seed.words.as_slice()].concat();
            return run_component(&seed.common, "seed", &words);
        }
        Command::Prune(prune) => return run_component(&prune.common, "prune", &prune.words),
        Command::Users(users) => return run_component(&users.common, "users", &users.words),
        Command::Deliver(deliver) => return run_component(&deliver.common, "deliver", &deliver.words),
        Command::Build(from) => building::build(&from.sources()?, true, Console::new(from.quiet))?,
        Command::Health(health) => health::run(&health)?,
        Command::Backup(backup) => backup::run(&backup)?,
        Command::Restore(restore) => restore::run(&restore)?,
    }
    Ok(0)
}

/// Runs the command component `name` and returns its exit status.
fn run_component(common: &Common, name: &str, words: &[String]) -> Result<i32> {
    let mut project = Project::open(&common.place, &common.variables)?;
    project.console = Console::beside_output(project.console.is_quiet());
    project.app.command(name)?;
    if !project.console.is_quiet() {
        project.variables.misspelt(&project.app).iter().for_each(console::error);
    }
    project.build(common)?;
    project.console.print_log();
    project.into_host(None, None)?.run_command(name, words)
}
