//! `migrate`: brings the schema of the app's database up to date, or back.
//!
//! The migrations are the folders in `migrations/` at the root, compiled in. Read on in the order of the modules:
//! [`arguments`] is what a user can ask for, [`migrations`] what there is, [`versions`] what the database has of it,
//! and [`adoption`] what it has if it does not say; [`runner`] gets it from one to another, [`script`] prints how,
//! [`statements`] makes statements of a file.

mod arguments;
mod error;

mod adoption;
mod migrations;
mod versions;

mod runner;
mod script;
mod statements;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use arguments::{Command, Mode};
use error::Error;
use lanterne_command::{Database, Failure, run, say};
use migrations::{MIGRATIONS, Migration};
use versions::Version;

const USAGE: &str = "\
Brings the schema of the database up to date, or back.

Usage: migrate <COMMAND>

Commands:
  upgrade head      apply every migration that is missing
  upgrade +N        apply the next N
  upgrade REV       apply those up to and with REV
  downgrade -N      take the last N back, newest first
  downgrade REV     take back those after REV
  downgrade base    take all back: the tables and ALL THEIR DATA are gone
  current           show where the database is
  history           list the migrations, newest first, and which are applied
  stamp REV         note that those up to and with REV are applied, and run
                    nothing; also: stamp head, stamp base
  help              show this

With --sql, upgrade and downgrade change nothing: they print what they would
run, for `sqlite3 -bail DATABASE`.

REV is a migration's number, its name, or any part of its name that no other
migration has: 1, 0001, 0001_create_accounts, accounts.

Each migration runs whole or not at all. A database that has migrations this
program does not know, that has one whose text was changed afterwards, or that
is another program's, is left as it is. One that the Python server made is
taken as being at 0001.

Exit status: 0; 1 if it failed; 2 if what it was given is wrong (on Spin: 1).

Run it with:
  cargo lanterne migrate upgrade head
  spin up -f spin.commands.toml -c migrate -- upgrade head";

fn main() -> ExitCode {
    run("migrate", async |words| {
        let command = arguments::parse(&words, MIGRATIONS)
            .map_err(|fault| Failure::Usage(format!("{fault}; `migrate help` lists what can be asked for")))?;
        if let Command::Help = command {
            say(USAGE);
            return Ok(());
        }
        let db = Database::open()?;
        match command {
            Command::Help => Ok(()),
            Command::Current => current(&db).await,
            Command::History => history(&db).await,
            Command::Upgrade(target, Mode::Run) => runner::upgrade(&db, MIGRATIONS, target, say).await,
            Command::Downgrade(target, Mode::Run) => runner::downgrade(&db, MIGRATIONS, target, say).await,
            Command::Upgrade(target, Mode::Print) => script::upgrade(&db, MIGRATIONS, target).await.map(print),
            Command::Downgrade(target, Mode::Print) => script::downgrade(&db, MIGRATIONS, target).await.map(print),
            Command::Stamp(position) => runner::stamp(&db, MIGRATIONS, position, say).await,
        }
        .map_err(|error| Failure::Failed(error.to_string()))
    })
}

fn print(script: String) {
    say(script.trim_end());
}

/// Where the database is, and the rows that say so.
async fn whereabouts(db: &Database) -> Result<(usize, Vec<Version>), Error> {
    let both = async { Ok((versions::position(db, MIGRATIONS).await?, versions::applied(db).await?)) };
    versions::reading(db, both).await
}

async fn current(db: &Database) -> Result<(), Error> {
    let (position, applied) = whereabouts(db).await?;
    say(runner::place(position, MIGRATIONS));
    for (version, migration) in applied.iter().zip(MIGRATIONS) {
        if version.is_changed(migration) {
            say(format!("{migration} has another text now than when it was applied"));
        }
    }
    Ok(())
}

async fn history(db: &Database) -> Result<(), Error> {
    let (position, applied) = whereabouts(db).await?;
    for migration in MIGRATIONS.iter().rev() {
        let version = applied.iter().find(|version| version.revision == migration.revision);
        say(format!("{migration}{}", remarks(migration, position, version)));
    }
    Ok(())
}

/// What `history` says of a migration beside its name.
fn remarks(migration: &Migration, position: usize, version: Option<&Version>) -> String {
    let mut remarks = String::new();
    if migration.revision == MIGRATIONS.len() {
        remarks.push_str(" (head)");
    }
    if migration.revision == position {
        remarks.push_str(" (current)");
    }
    match version {
        Some(version) => remarks.push_str(&format!(", applied {} UTC", version.applied_at.to_sql())),
        None if migration.revision <= position => remarks.push_str(", applied by Alembic"),
        None => remarks.push_str(", not applied"),
    }
    if version.is_some_and(|version| version.is_changed(migration)) {
        remarks.push_str(", CHANGED since then");
    }
    remarks
}
