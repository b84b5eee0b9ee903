//! Refuses `lanterne migrate downgrade` while another program uses the database.

use std::path::Path;

use anyhow::{Result, bail};
use lanterne_schema::{Folder, losses};
use rusqlite::OpenFlags;

use crate::cli::Component;
use crate::console;
use crate::database_file as file;
use crate::project::Project;

/// Refuses a downgrade of a database that is in use, unless `yes` is set: then it only warns. Other commands pass.
///
/// # Errors
/// The database is in use, or the app cannot be read.
pub(crate) fn check(migrate: &Component, yes: bool) -> Result<()> {
    let words: Vec<&str> = migrate.words.iter().map(String::as_str).filter(|word| *word != "--").collect();
    let changes_nothing = words.iter().any(|word| matches!(*word, "--sql" | "help" | "--help" | "-h"));
    let ["downgrade", target, ..] = words[..] else { return Ok(()) };
    let project = Project::open(&migrate.common.place, &migrate.common.variables)?;
    let database = project.state_dir.default_database();
    if changes_nothing || !file::is_in_use(database) {
        return Ok(());
    }
    // The component refuses what cannot be read here, but the downgrade must not pass unseen.
    let migrations = project.migrations().ok();
    let folder = migrations.as_ref().and_then(|migrations| migrations.folder.as_ref());
    let reverted = folder.and_then(|folder| Reverted::find(database, folder, target).ok());
    let losses = match reverted {
        Some(reverted) if reverted.names.is_empty() => return Ok(()),
        Some(reverted) => reverted.to_string(),
        None => "what the reverted migrations added is lost".to_owned(),
    };
    let warning = format!(
        "{} is open in another program, perhaps a running server, whose requests would fail. Also, {losses}",
        database.display()
    );
    if !yes {
        bail!("{warning}. Stop the server and try again, or accept this with --yes");
    }
    console::error(warning);
    Ok(())
}

/// The migrations that a downgrade reverts.
struct Reverted {
    names: Vec<String>,
    /// The tables and columns that are dropped.
    losses: Vec<String>,
}

impl Reverted {
    fn find(database: &Path, folder: &Folder, target: &str) -> Result<Self> {
        let db = file::open(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let start = file::applied_migrations(&db)?.len().min(folder.migrations.len());
        let Some(goal) = goal(folder, start, target) else { bail!("unknown target {target}") };
        let reverted = folder.migrations.iter().take(start).skip(goal).rev();
        let losses = losses(&folder.built_by_first(start)?, &folder.built_by_first(goal.min(start))?);
        Ok(Self { names: reverted.map(|migration| migration.folder()).collect(), losses })
    }
}

impl std::fmt::Display for Reverted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reverting {}", self.names.join(", "))?;
        match self.losses[..] {
            [] => write!(f, " drops no table and no column"),
            _ => write!(f, " drops {}, with all values", self.losses.join(", ")),
        }
    }
}

/// Returns how many migrations remain applied after a downgrade from `start` to `target`, by the rules of the component.
fn goal(folder: &Folder, start: usize, target: &str) -> Option<usize> {
    if target == "base" {
        return Some(0);
    }
    if let Some(count) = target.strip_prefix('-') {
        return start.checked_sub(count.parse().ok()?);
    }
    if target.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = target.parse().ok()?;
        return (1..=folder.migrations.len()).contains(&number).then_some(number);
    }
    let exact = folder.migrations.iter().find(|migration| target == migration.name);
    let mut parts = folder.migrations.iter().filter(|migration| migration.folder().contains(target));
    let only = parts.next().filter(|_| parts.next().is_none());
    exact.or(only).map(|migration| migration.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_those_of_the_component() {
        let temporary = tempfile::tempdir().expect("a folder");
        for name in ["first", "add_teams", "first_addition"] {
            let folder = Folder::read(temporary.path()).expect("a folder");
            folder.add(name, "SELECT 1", "SELECT 1").expect("it can be written");
        }
        let folder = Folder::read(temporary.path()).expect("a folder");
        for (target, expected) in [
            ("base", Some(0)),
            ("-1", Some(2)),
            ("-3", Some(0)),
            ("-4", None),
            ("-x", None),
            ("1", Some(1)),
            ("0002", Some(2)),
            ("0", None),
            ("4", None),
            ("first", Some(1)),
            ("teams", Some(2)),
            ("0003_first", Some(3)),
            ("add", None),
            ("nowhere", None),
        ] {
            assert_eq!(goal(&folder, 3, target), expected, "{target}");
        }
    }
}
