//! One database file in the place of another.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lanterne_database::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::NamedTempFile;

use crate::database_file as file;

/// Puts `new`, which is closed and in the same directory, in the place of `database`. Returns where the file that was
/// there is kept, whole: what was in its WAL is in it.
pub(crate) fn replace(database: &Path, new: NamedTempFile) -> Result<Option<PathBuf>> {
    let cannot = || format!("cannot replace {}", database.display());
    let kept = kept_path(database);
    let was_there = database.exists();
    // Held until the end: whoever opens the file meanwhile waits, and then finds the new one or is told by SQLite that
    // the file has moved.
    let _hold = if was_there { hold(database)? } else { None };
    if was_there {
        inherit_access(database, &new).with_context(cannot)?;
        // Two names for one file, so that there is a database at every moment. Not every filesystem can do this.
        fs::hard_link(database, &kept).or_else(|_| fs::rename(database, &kept)).with_context(cannot)?;
    }
    // Only of a file that SQLite could not read, or that is gone, anything is left here; it would be taken for a part of
    // the new one.
    for suffix in ["-wal", "-journal"] {
        let left = file::beside(database, suffix);
        if left.exists() {
            fs::rename(&left, file::beside(&kept, suffix)).with_context(cannot)?;
        }
    }
    match fs::remove_file(file::beside(database, "-shm")) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(cannot),
        _ => {}
    }
    new.persist(database).map_err(|error| error.error).with_context(cannot)?;
    file::sync_directory(database)?;
    Ok(was_there.then_some(kept))
}

/// Takes the file for this process alone, with everything from its WAL in it. `None` if SQLite cannot read it: then
/// nobody can work with it, and it is replaced as it is.
fn hold(database: &Path) -> Result<Option<Connection>> {
    let db = file::open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let take = || {
        db.busy_timeout(Duration::ZERO)?;
        // Writes the WAL into the file and removes it, for which nobody else may have the file open.
        file::set_journal_mode(&db, "delete")?;
        db.execute_batch("BEGIN EXCLUSIVE")
    };
    match take() {
        Ok(()) => Ok(Some(db)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => bail!(
                "{} is open in another program, perhaps a running server: stop it and try again",
                database.display()
            ),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(None),
            _ => Err(file::explain(error, database)),
        },
    }
}

/// Whoever could use the old file can use the new one, whoever restores it.
fn inherit_access(old: &Path, new: &NamedTempFile) -> std::io::Result<()> {
    let (old, made) = (fs::metadata(old)?, new.as_file().metadata()?);
    if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
        chown(new.path(), Some(old.uid()), Some(old.gid()))?;
    }
    fs::set_permissions(new.path(), old.permissions())
}

/// `<the database>.before-restore-20260131-235959`, in UTC; with `-2` and so on if there is one of this second.
fn kept_path(database: &Path) -> PathBuf {
    let digits: String = Timestamp::now().to_sql().chars().filter(char::is_ascii_digit).collect();
    let kept = file::beside(database, &format!(".before-restore-{}-{}", &digits[..8], &digits[8..14]));
    let later = (2_u32..).map(|n| file::beside(&kept, &format!("-{n}")));
    let mut names = std::iter::once(kept.clone()).chain(later);
    names.find(|name| !name.exists()).unwrap_or(kept)
}
