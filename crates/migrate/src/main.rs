//! `migrate`: brings the schema of the app's database up to date, or back.
//!
//! The migrations are the folders in `migrations/` at the root, compiled in. Read on in the order of the modules:
//! [`arguments`] is what a user can ask for, [`migrations`] what there is, [`versions`] what the database has of it,
//! [`runner`] how it gets from one to another, [`statements`] how a file becomes statements.

mod arguments;
mod migrations;
mod versions;

mod runner;
mod statements;

use std::process::ExitCode;

use arguments::Command;
use lanterne_command::{Database, Failure, run, say};
use lanterne_core::timestamp::Timestamp;
use migrations::{MIGRATIONS, Migration};

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
  history           list the migrations, newest first
  help              show this

REV is a migration's number or folder name: 1, 0001 or 0001_create_accounts.

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
            Command::Upgrade(target) => runner::upgrade(&db, MIGRATIONS, target, say).await,
            Command::Downgrade(target) => runner::downgrade(&db, MIGRATIONS, target, say).await,
        }
        .map_err(|error| Failure::Failed(error.to_string()))
    })
}

async fn current(db: &Database) -> Result<(), runner::Error> {
    let position = versions::position(db, MIGRATIONS).await?;
    say(runner::place(position, MIGRATIONS));
    Ok(())
}

async fn history(db: &Database) -> Result<(), runner::Error> {
    let position = versions::position(db, MIGRATIONS).await?;
    let applied = versions::applied(db).await?;
    for migration in MIGRATIONS.iter().rev() {
        let since = applied.iter().find(|version| version.revision == migration.revision);
        say(format!("{migration}{}", remarks(migration, position, since.map(|version| version.applied_at))));
    }
    Ok(())
}

/// What `history` says of a migration beside its name.
fn remarks(migration: &Migration, position: usize, applied_at: Option<Timestamp>) -> String {
    let mut remarks = String::new();
    if migration.revision == MIGRATIONS.len() {
        remarks.push_str(" (head)");
    }
    if migration.revision == position {
        remarks.push_str(" (current)");
    }
    match applied_at {
        Some(time) => remarks.push_str(&format!(", applied {} UTC", time.to_sql())),
        None if migration.revision <= position => remarks.push_str(", applied by Alembic"),
        None => remarks.push_str(", not applied"),
    }
    remarks
}
