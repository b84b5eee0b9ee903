//! `migrate`: brings the schema of the app's database up to date, or back.
//!
//! The migrations are the folders in `migrations/` at the root, compiled in. The modules in reading order: [`arguments`]
//! is the command line, [`migrations`] the list; [`versions`] reads and writes what the database has of it, [`adoption`]
//! decides what a database has that does not say; [`runner`] applies and reverts, [`script`] prints that as SQL.

mod arguments;
mod error;

mod adoption;
mod migrations;
mod versions;

mod runner;
mod script;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use arguments::Command;
use error::Error;
use lanterne_command::{Database, Failure, run, say};
use migrations::{MIGRATIONS, Migration};
use versions::Version;

const USAGE: &str = "\
Brings the schema of the database up to date, or back.

Usage: migrate <COMMAND>

Commands:
  upgrade head      apply all pending migrations
  upgrade +N        apply the next N
  upgrade REV       apply those up to and including REV
  downgrade -N      revert the last N, newest first
  downgrade REV     revert those after REV
  downgrade base    revert all: drops the tables with ALL THEIR DATA
  current           show the revision of the database
  history           list the migrations, newest first, and which are applied
  stamp REV         record that those up to and including REV are applied, and
                    run nothing; also: stamp head, stamp base
  help              show this text

Only in the source tree, with `cargo lanterne`:
  revision -m WORDS [--autogenerate]
                    create the next migration, empty or from schema.sql

With --sql, upgrade and downgrade change nothing and print the SQL they would
run, for `sqlite3 -bail DATABASE`.

REV is a migration's number, its name, or any part of its name that no other
migration has: 1, 0001, 0001_create_accounts, accounts.

Each migration runs in one transaction. A database is left unchanged if it has
migrations unknown to this program, if the text of an applied one has changed,
or if it belongs to another program. A database of the Python server counts as
being at 0001.

Exit status: 0 on success, 1 on failure, 2 on a usage error (1 on Spin).

Run it with:
  cargo lanterne migrate upgrade head
  spin up -f spin.commands.toml -c migrate -- upgrade head";

fn main() -> ExitCode {
    run("migrate", async |words| {
        let command = arguments::parse(&words, MIGRATIONS)
            .map_err(|error| Failure::Usage(format!("{error} (the argument `help` shows the usage)")))?;
        if command == Command::Help {
            say(USAGE);
            return Ok(());
        }
        let db = Database::open().await?;
        execute(&db, command).await.map_err(|error| Failure::Failed(error.to_string()))
    })
}

async fn execute(db: &Database, command: Command) -> Result<(), Error> {
    match command {
        Command::Help => {}
        Command::Current => current(db).await?,
        Command::History => history(db).await?,
        Command::Stamp(position) => {
            runner::stamp(db, MIGRATIONS, position).await?;
            let place = runner::place(position, MIGRATIONS);
            say(format!("Recorded that the database is at {place}; nothing was run"));
        }
        Command::Migrate { direction, target, prints_sql: false } => {
            runner::migrate(db, MIGRATIONS, direction, target, say).await?;
        }
        Command::Migrate { direction, target, prints_sql: true } => {
            say(script::script(db, MIGRATIONS, direction, target).await?.trim_end());
        }
    }
    Ok(())
}

async fn current(db: &Database) -> Result<(), Error> {
    let state = versions::read_snapshot(db, MIGRATIONS).await?;
    say(runner::place(state.position, MIGRATIONS));
    for (version, migration) in state.applied.iter().zip(MIGRATIONS) {
        if version.is_changed(migration) {
            say(format!("{migration} was changed after it was applied"));
        }
    }
    Ok(())
}

async fn history(db: &Database) -> Result<(), Error> {
    let state = versions::read_snapshot(db, MIGRATIONS).await?;
    for (index, migration) in MIGRATIONS.iter().enumerate().rev() {
        say(format!("{migration}{}", remarks(migration, state.position, state.applied.get(index))));
    }
    Ok(())
}

/// What `history` says about a migration after its name.
fn remarks(migration: &Migration, position: usize, version: Option<&Version>) -> String {
    let head = if migration.revision == MIGRATIONS.len() { " (head)" } else { "" };
    let current = if migration.revision == position { " (current)" } else { "" };
    let applied = match version {
        Some(version) => {
            let changed = if version.is_changed(migration) { ", CHANGED since then" } else { "" };
            format!("applied {} UTC{changed}", version.applied_at.to_sql())
        }
        None if migration.revision <= position => "applied by Alembic".to_owned(),
        None => "not applied".to_owned(),
    };
    format!("{head}{current}, {applied}")
}
