//! `lanterne restore`: replaces the database by a backup.
//!
//! Copies the backup beside the database, checks the copy, and moves that copy into place: no program can change it in
//! between, and a restore that fails before its last step has changed nothing. A symbolic link at the path of the database
//! stays, and the file behind it is replaced.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lanterne_host::create_private_dir;
use lanterne_schema::Folder;
use rusqlite::{Connection, OpenFlags};

use crate::cli::Restore;
use crate::console::UsageError;
use crate::contents;
use crate::database_file as file;
use crate::project::Project;
use crate::replacement;

/// The Alembic revision of the Python server whose tables are those of our first migration. `crates/migrate` adopts such
/// a database when the server starts.
const ALEMBIC_REVISION: &str = "7912bf623dee";

/// Replaces the database.
pub(crate) fn run(restore: &Restore) -> Result<()> {
    let project = Project::open(&restore.place, &[])?;
    let database = &file::resolve(project.state_dir.default_database());
    let backup = std::path::absolute(&restore.file)?;
    if file::is_same(&backup, database) {
        bail!(UsageError(format!("{} is the database itself", backup.display())));
    }
    let source = file::open(&backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    create_private_dir(file::directory(database))?;
    let _running = file::remove_abandoned_copies(file::directory(database));
    let (copy, db) = file::copy(&source, &backup, file::directory(database))?;
    check_references(&db, &backup, restore.force)?;
    let migrations = project.migrations()?;
    let position = position(&db, &backup, migrations.folder.as_ref(), restore.force)?;
    let contents = contents::summary(&db).map_err(|error| file::explain(error, &backup))?;
    // The mode that `migrate` sets.
    file::finish(&copy, db, "wal")?;

    let kept = replacement::replace(database, copy)?;
    let (to, from) = (database.display(), backup.display());
    project.console.done("Restored", format_args!("{to} from {from}, at {position}: {contents}"));
    if let Some(kept) = kept {
        project.console.done("Kept", format_args!("the database that was there: {}", kept.display()));
    }
    Ok(())
}

/// Refuses rows with dangling references, unless `force` is set.
fn check_references(db: &Connection, backup: &Path, force: bool) -> Result<()> {
    let count = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get::<_, i64>(0));
    match count.map_err(|error| file::explain(error, backup))? {
        1.. if force => Ok(()),
        count @ 1.. => {
            bail!("{}: {count} rows refer to rows that are gone; --force accepts it", backup.display())
        }
        _ => Ok(()),
    }
}

/// Describes the backup's newest migration. Refuses migrations that are not `known`.
///
/// An app may be installed without that folder; `migrate` then refuses unknown migrations when the server starts.
fn position(db: &Connection, backup: &Path, known: Option<&Folder>, force: bool) -> Result<String> {
    if !file::has_table(db, "schema_migrations")? {
        return alembic_position(db, backup, known);
    }
    let backup = backup.display();
    let applied = file::applied_migrations(db)
        .with_context(|| format!("{backup} has another table schema_migrations than this app"))?;
    let Some((newest, name)) = applied.last() else {
        return Ok("base, with no migration applied".to_owned());
    };
    let position = format!("migration {newest:04} {name}");
    let Some(folder) = known else {
        return Ok(position);
    };
    for (index, (revision, name)) in applied.iter().enumerate() {
        let number = *revision as usize;
        match folder.migrations.get(index) {
            Some(known) if known.number == number && known.name == *name => {}
            _ if number > folder.migrations.len() => {
                bail!("{backup} is newer than this app: it has migration {revision:04} {name}, which is not known here")
            }
            _ => bail!("{backup} is of another app: its migration {revision:04} {name} is not the one here"),
        }
    }
    let lack = folder.built_by_first(applied.len())?.first_lack(db);
    match lack.with_context(|| format!("{backup} cannot be compared"))? {
        Some(lack) if !force => {
            bail!("{backup} is not what its {position} says: {lack}; --force accepts it")
        }
        _ => Ok(position),
    }
}

/// Does what [`position`] does, for a database that only the Python server has used.
fn alembic_position(db: &Connection, backup: &Path, known: Option<&Folder>) -> Result<String> {
    let backup = backup.display();
    if !file::has_table(db, "alembic_version")? {
        bail!("{backup} has neither a table schema_migrations nor one of Alembic's: it is no backup of this app");
    }
    let revisions = alembic_revisions(db);
    let revisions = revisions.with_context(|| format!("{backup} has another table alembic_version than Alembic"))?;
    if revisions != [ALEMBIC_REVISION] {
        let found = if revisions.is_empty() { "no revision".to_owned() } else { revisions.join(" and ") };
        bail!("{backup} is at {found} of Alembic: only the Python server's {ALEMBIC_REVISION} is known here");
    }
    if let Some(folder) = known {
        let lack = folder.built_by_first(1)?.first_lack(db);
        if let Some(lack) = lack.with_context(|| format!("{backup} cannot be compared"))? {
            bail!("{backup} is not what Alembic's note {ALEMBIC_REVISION} says: {lack}");
        }
    }
    Ok(format!("revision {ALEMBIC_REVISION} of the Python server, from which the next start goes on"))
}

fn alembic_revisions(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT version_num FROM alembic_version")?.query_map([], |row| row.get(0))?.collect()
}
