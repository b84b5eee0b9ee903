//! The SQL that a migrator would run, for somebody else to run: `--sql`.
//!
//! It is made for where the database is now, and leads to where `upgrade` or `downgrade` would lead, the rows of
//! `schema_migrations` included. The program `sqlite3` runs it, and so does anything else that runs plain SQL.

use std::fmt::Write as _;

use lanterne_database::Connection;

use crate::arguments::Target;
use crate::error::Error;
use crate::migrations::Migration;
use crate::runner::{downgrade_goal, place, upgrade_goal};
use crate::versions::{self, ADD_CHECKSUM, CREATE_TABLE, Layout};

/// When the script runs, and not when it is printed, as SQLAlchemy writes times.
const NOW: &str = "strftime('%Y-%m-%d %H:%M:%f000', 'now')";

/// What `upgrade` would run.
pub(crate) async fn upgrade(db: &impl Connection, migrations: &[Migration], target: Target) -> Result<String, Error> {
    let (start, layout) = start(db, migrations).await?;
    let goal = upgrade_goal(start, migrations, target)?;
    let Some(missing) = migrations[..goal].get(start..).filter(|missing| !missing.is_empty()) else {
        return Ok(nothing(start, migrations));
    };
    let mut script = head(migrations, layout, start, goal);
    for migration in missing {
        transaction(&mut script, &format!("{migration}: up"), &[migration.up, &insert(migration)]);
    }
    Ok(script)
}

/// What `downgrade` would run.
pub(crate) async fn downgrade(db: &impl Connection, migrations: &[Migration], target: Target) -> Result<String, Error> {
    let (start, layout) = start(db, migrations).await?;
    let goal = downgrade_goal(start, migrations, target)?;
    let Some(surplus) = migrations[..start].get(goal..).filter(|surplus| !surplus.is_empty()) else {
        return Ok(nothing(start, migrations));
    };
    let mut script = head(migrations, layout, start, goal);
    for migration in surplus.iter().rev() {
        let delete = format!("DELETE FROM schema_migrations WHERE revision = {};", migration.revision);
        transaction(&mut script, &format!("{migration}: down"), &[migration.down, &delete]);
    }
    Ok(script)
}

/// Where the database is, and what its table is like.
async fn start(db: &impl Connection, migrations: &[Migration]) -> Result<(usize, Layout), Error> {
    let both = async { Ok((versions::verified_position(db, migrations).await?, versions::layout(db).await?)) };
    versions::reading(db, both).await
}

fn nothing(position: usize, migrations: &[Migration]) -> String {
    format!("-- Nothing to do: the database is at {}\n", place(position, migrations))
}

/// What stands before the first migration: how to run the script, and what the runner prepares.
fn head(migrations: &[Migration], layout: Layout, start: usize, goal: usize) -> String {
    let (from, to) = (place(start, migrations), place(goal, migrations));
    let mut script = format!(
        "-- From {from}\n-- to {to}.\n-- Run it with: sqlite3 -bail DATABASE < THIS_FILE\n\n\
         PRAGMA foreign_keys = OFF;\nPRAGMA journal_mode = WAL;\n"
    );
    let applied = &migrations[..start];
    let preparation: Vec<String> = match layout {
        Layout::Missing => [format!("{CREATE_TABLE};")].into_iter().chain(applied.iter().map(insert)).collect(),
        Layout::WithoutChecksums => {
            let fill = |migration: &Migration| {
                let (checksum, revision) = (migration.checksum(), migration.revision);
                format!("UPDATE schema_migrations SET checksum = '{checksum}' WHERE revision = {revision};")
            };
            [format!("{ADD_CHECKSUM};")].into_iter().chain(applied.iter().map(fill)).collect()
        }
        Layout::Complete => Vec::new(),
    };
    if !preparation.is_empty() {
        let preparation: Vec<&str> = preparation.iter().map(String::as_str).collect();
        transaction(&mut script, "The table of versions", &preparation);
    }
    script
}

/// The row of a migration that is applied. Names and checksums have no character that would need quoting.
fn insert(migration: &Migration) -> String {
    let Migration { revision, name, .. } = migration;
    let checksum = migration.checksum();
    format!(
        "INSERT INTO schema_migrations (revision, name, applied_at, checksum)\n\
         VALUES ({revision}, '{name}', {NOW}, '{checksum}');"
    )
}

fn transaction(script: &mut String, title: &str, parts: &[&str]) {
    write!(script, "\n-- {title}\nBEGIN IMMEDIATE;\n").expect("a String takes everything");
    for part in parts {
        let part = part.trim_end();
        script.push_str(part);
        // The last statement of a file may lack its semicolon, or have it before a comment.
        script.push_str(if part.ends_with(';') || part.is_empty() { "\n" } else { "\n;\n" });
    }
    script.push_str("COMMIT;\n");
}
