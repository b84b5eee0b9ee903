//! `lanterne backup`: the database in one file, while it is used.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rusqlite::OpenFlags;

use crate::cli::Backup;
use crate::database_file as file;
use crate::session::Session;
use lanterne_host::console::Mistake;

/// Copies the database; gives the exit status.
pub(crate) fn run(backup: &Backup) -> Result<i32> {
    let session = Session::at(&backup.place, &[])?;
    let database = session.database()?;
    let target = std::path::absolute(&backup.file)?;
    check_target(&target, &database, backup.force)?;
    let directory = target.parent().unwrap_or(Path::new("/"));
    if !directory.is_dir() {
        return Err(Mistake::new(format!("there is no directory {}", directory.display())));
    }

    // Under another name until it is known to be good; dropping it removes it. Nobody else may read it.
    let copy = tempfile::Builder::new().prefix(".lanterne-backup-").tempfile_in(directory);
    let copy = copy.with_context(|| format!("cannot write to {}", directory.display()))?;
    {
        // Writing is allowed because reading needs it, after a server that was killed.
        let source = file::open(&database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let db = file::copy(&source, &database, copy.path())?;
        // Of a WAL, the backup would consist of two files, and a read-only place would not do for it.
        file::set_journal_mode(&db, "delete").map_err(|error| file::explain(error, copy.path()))?;
        file::check_integrity(&db, &database)?;
    }
    copy.as_file().sync_all().with_context(|| format!("cannot write to {}", directory.display()))?;

    let named = if backup.force { copy.persist(&target) } else { copy.persist_noclobber(&target) };
    named.map_err(|error| error.error).with_context(|| format!("cannot make {}", target.display()))?;
    file::sync_directory(&target)?;
    session
        .console
        .done("Backed up", format_args!("{} to {}, {}", database.display(), target.display(), file::size(&target)?));
    Ok(0)
}

/// Refuses a place where a backup would destroy something.
fn check_target(target: &Path, database: &Path, force: bool) -> Result<()> {
    let shown = target.display();
    if file::is_same(target, database) {
        return Err(Mistake::new(format!("{shown} is the database itself")));
    }
    if target.is_dir() {
        return Err(Mistake::new(format!("{shown} is a directory; name a file in it")));
    }
    if !force && target.symlink_metadata().is_ok() {
        return Err(Mistake::new(format!("{shown} is there already; --force replaces it")));
    }
    // SQLite would take it for a part of the backup.
    for suffix in ["-wal", "-journal"] {
        let part = file::beside(target, suffix);
        if part.exists() {
            bail!("{} is there: {shown} is a database that is used, or was not closed", part.display());
        }
    }
    Ok(())
}
