//! `lanterne backup`: copies the database to one file, also while a server runs.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rusqlite::OpenFlags;

use crate::cli::Backup;
use crate::console::UsageError;
use crate::database_file as file;
use crate::project::Project;

/// Copies the database.
pub(crate) fn run(backup: &Backup) -> Result<()> {
    let project = Project::open(&backup.place, &[])?;
    let database = project.state_dir.default_database();
    let target = std::path::absolute(&backup.file)?;
    check_target(&target, database, backup.force)?;

    // Opening the database of a killed server recovers its write-ahead log, which needs write access.
    let source = file::open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let _running = file::remove_abandoned_copies(file::directory(&target));
    let (copy, db) = file::copy(&source, database, file::directory(&target))?;
    drop(source);
    // In WAL mode the backup could be two files, and could not be opened on a read-only file system.
    file::finish(&copy, db, "delete")?;

    let named = if backup.force { copy.persist(&target) } else { copy.persist_noclobber(&target) };
    named.map_err(|error| error.error).with_context(|| format!("cannot create {}", target.display()))?;
    file::sync_directory(&target)?;
    let (from, to, size) = (database.display(), target.display(), file::size(&target)?);
    project.console.done("Backed up", format_args!("{from} to {to}, {size}"));
    Ok(())
}

/// Refuses a target that cannot be created, or that would overwrite something.
fn check_target(target: &Path, database: &Path, force: bool) -> Result<()> {
    let (shown, directory) = (target.display(), file::directory(target));
    if file::is_same(target, database) {
        bail!(UsageError(format!("{shown} is the database itself")));
    }
    if target.is_dir() {
        bail!(UsageError(format!("{shown} is a directory; name a file in it")));
    }
    if !force && target.symlink_metadata().is_ok() {
        bail!(UsageError(format!("{shown} is there already; --force replaces it")));
    }
    // SQLite would apply these to the backup.
    for part in ["-wal", "-journal"].map(|suffix| file::beside(target, suffix)) {
        if part.exists() {
            bail!("{} is there: {shown} is a database in use, or was not closed", part.display());
        }
    }
    if !directory.is_dir() {
        bail!(UsageError(format!("there is no directory {}", directory.display())));
    }
    Ok(())
}
