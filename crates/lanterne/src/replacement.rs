//! Replaces one database file by another.

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

/// Replaces `database` by `new`, a closed database in the same directory. Returns the path at which the old database is
/// kept, including the content of its write-ahead log.
pub(crate) fn replace(database: &Path, new: NamedTempFile) -> Result<Option<PathBuf>> {
    let cannot = || format!("cannot replace {}", database.display());
    let kept = kept_path(database);
    let existed = database.exists();
    // Held until the end: a program that opens the file meanwhile waits, and then finds the new one or gets an error.
    let _lock = if existed { lock(database)? } else { None };
    if existed {
        copy_access(database, &new).with_context(cannot)?;
        // A second name for the file, so that a database exists at every moment. Not every file system has hard links.
        fs::hard_link(database, &kept).or_else(|_| fs::rename(database, &kept)).with_context(cannot)?;
    }
    // Left behind by a missing or unreadable database, these would be applied to the new one.
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

/// Checkpoints the write-ahead log and locks the file exclusively. `None` if SQLite cannot read the file: then no program
/// can use it.
fn lock(database: &Path) -> Result<Option<Connection>> {
    let db = file::open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let locked = db
        .busy_timeout(Duration::ZERO)
        // Removes the log, which fails while any other connection is open.
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

/// Gives `new` the owner and the mode of `old`, whichever user runs the restore.
fn copy_access(old: &Path, new: &NamedTempFile) -> io::Result<()> {
    let (old, made) = (fs::metadata(old)?, new.as_file().metadata()?);
    if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
        chown(new.path(), Some(old.uid()), Some(old.gid()))?;
    }
    fs::set_permissions(new.path(), old.permissions())
}

/// Returns `<database>.before-restore-20260131-235959`, in UTC, with `-2` and so on appended if that exists.
fn kept_path(database: &Path) -> PathBuf {
    let digits: String = Timestamp::now().to_sql().chars().filter(char::is_ascii_digit).collect();
    let kept = file::beside(database, &format!(".before-restore-{}-{}", &digits[..8], &digits[8..14]));
    let later = (2_u32..).map(|n| file::beside(&kept, &format!("-{n}")));
    let mut names = std::iter::once(kept.clone()).chain(later);
    names.find(|name| !name.exists()).unwrap_or(kept)
}
