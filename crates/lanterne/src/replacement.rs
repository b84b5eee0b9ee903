//! Puts one database file in the place of another.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lanterne_database::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::NamedTempFile;

use crate::database_file as file;

/// Replaces `database` with `new`, a closed database in the same directory. Returns where the old file is kept, with what
/// was in its write-ahead log.
pub(crate) fn replace(database: &Path, new: NamedTempFile) -> Result<Option<PathBuf>> {
    let cannot = || format!("cannot replace {}", database.display());
    let kept = kept_path(database);
    let existed = database.exists();
    // Until the end: who opens the file meanwhile waits, and then finds the new one or hears from SQLite that it moved.
    let _lock = if existed { lock(database)? } else { None };
    if existed {
        copy_access(database, &new).with_context(cannot)?;
        // Two names for one file, so that there is a database at every moment. Not every filesystem has hard links.
        fs::hard_link(database, &kept).or_else(|_| fs::rename(database, &kept)).with_context(cannot)?;
    }
    // What a file leaves here that SQLite cannot read, or that is gone, would be taken for a part of the new one.
    for suffix in ["-wal", "-journal"] {
        ignore_missing(fs::rename(file::beside(database, suffix), file::beside(&kept, suffix))).with_context(cannot)?;
    }
    ignore_missing(fs::remove_file(file::beside(database, "-shm"))).with_context(cannot)?;
    new.persist(database).map_err(|error| error.error).with_context(cannot)?;
    file::sync_directory(database)?;
    Ok(existed.then_some(kept))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Locks the file for this process alone, with everything from its write-ahead log in it. `None` if SQLite cannot read
/// it: then nobody can use it.
fn lock(database: &Path) -> Result<Option<Connection>> {
    let db = file::open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let locked = db
        .busy_timeout(Duration::ZERO)
        // Removes the log, which needs the file to be closed everywhere else.
        .and_then(|()| file::set_journal_mode(&db, "delete"))
        .and_then(|()| db.execute_batch("BEGIN EXCLUSIVE"));
    let Err(error) = locked else {
        return Ok(Some(db));
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            bail!("{} is open in another program, perhaps a running server: stop it and try again", database.display())
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(None),
        _ => Err(file::explain(error, database)),
    }
}

/// Gives `new` the owner and the mode of `old`, whoever restores it.
fn copy_access(old: &Path, new: &NamedTempFile) -> io::Result<()> {
    let (old, made) = (fs::metadata(old)?, new.as_file().metadata()?);
    if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
        chown(new.path(), Some(old.uid()), Some(old.gid()))?;
    }
    fs::set_permissions(new.path(), old.permissions())
}

/// Returns `<database>.before-restore-20260131-235959`, in UTC; with `-2` and so on if there is one of this second.
fn kept_path(database: &Path) -> PathBuf {
    let digits: String = Timestamp::now().to_sql().chars().filter(char::is_ascii_digit).collect();
    let kept = file::beside(database, &format!(".before-restore-{}-{}", &digits[..8], &digits[8..14]));
    let later = (2_u32..).map(|n| file::beside(&kept, &format!("-{n}")));
    let mut names = std::iter::once(kept.clone()).chain(later);
    names.find(|name| !name.exists()).unwrap_or(kept)
}
