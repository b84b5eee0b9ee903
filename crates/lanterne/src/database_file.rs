//! Operations on a whole SQLite file: open, copy, check.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use tempfile::NamedTempFile;

use crate::contents;

/// The prefix of temporary copies.
const COPY_PREFIX: &str = ".lanterne-copy-";
/// How long to wait for a writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long another writer must hold a database for it to count as locked.
const LOCKED_AFTER: Duration = Duration::from_millis(250);

/// Opens an existing file.
pub(crate) fn open(path: &Path, mode: OpenFlags) -> Result<Connection> {
    if !path.is_file() {
        bail!("there is no database {}", path.display());
    }
    let db = Connection::open_with_flags(path, mode).map_err(|error| explain(error, path))?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    Ok(db)
}

/// Copies a consistent snapshot of the database `from` to a temporary file in `directory`. Checks that the copy is intact and
/// has the tables of the snapshot, also those that are not of this app, with the same definitions and numbers of rows.
///
/// Copies all pages in one step, a read transaction, which blocks no writer in WAL mode. In several steps, every change
/// in between would restart the copy.
pub(crate) fn copy(from: &Connection, from_path: &Path, directory: &Path) -> Result<(NamedTempFile, Connection)> {
    let copy = tempfile::Builder::new().prefix(COPY_PREFIX).tempfile_in(directory);
    let copy = copy.with_context(|| format!("cannot write to {}", directory.display()))?;
    let mut db = open(copy.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // One snapshot for the copy and the comparison.
    let snapshot = from.unchecked_transaction().map_err(|error| explain(error, from_path))?;
    let expected = contents::tables(&snapshot).map_err(|error| explain(error, from_path))?;
    let step = Backup::new(&snapshot, &mut db).and_then(|backup| backup.step(-1));
    // Without a write-ahead log it blocks writers.
    drop(snapshot);
    if step.map_err(|error| explain(error, from_path))? != StepResult::Done {
        bail!("{} is locked by another program", from_path.display());
    }
    let verdict = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match verdict.map_err(|error| explain(error, from_path))?.as_str() {
        "ok" => {}
        fault => bail!("{} is damaged: {}", from_path.display(), fault.lines().last().unwrap_or_default()),
    }
    let copied = contents::tables(&db).map_err(|error| explain(error, copy.path()))?;
    match contents::first_difference(&expected, &copied) {
        Some(difference) => bail!("the copy of {} is not equal: {difference}", from_path.display()),
        None => Ok((copy, db)),
    }
}

/// Removes the copies that killed runs have left in `directory`, unless another run is active there. Keep the returned
/// lock while a copy exists.
pub(crate) fn remove_abandoned_copies(directory: &Path) -> Option<fs::File> {
    // Active runs share a lock on the directory, which the system releases when they end. Not every filesystem has such
    // locks; without one nothing is removed.
    let lock = fs::File::open(directory).ok()?;
    if lock.try_lock().is_ok() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(COPY_PREFIX) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    lock.lock_shared().ok()?;
    Some(lock)
}

/// Resolves the symbolic links that `path` names; the file they lead to need not exist.
pub(crate) fn resolve(path: &Path) -> PathBuf {
    let mut resolved = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&resolved) else { break };
        resolved = directory(&resolved).join(target);
    }
    resolved
}

/// Sets the journal mode of a copy, closes it, and syncs it to disk.
pub(crate) fn finish(copy: &NamedTempFile, db: Connection, journal_mode: &str) -> Result<()> {
    set_journal_mode(&db, journal_mode).map_err(|error| explain(error, copy.path()))?;
    drop(db);
    copy.as_file().sync_all().with_context(|| format!("cannot write {}", copy.path().display()))
}

/// Sets the journal mode. Fails with `SQLITE_BUSY` if SQLite keeps the old mode.
pub(crate) fn set_journal_mode(db: &Connection, mode: &str) -> rusqlite::Result<()> {
    let now: String = db.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))?;
    if now == mode {
        return Ok(());
    }
    Err(Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), Some("database is locked".into())))
}

/// Whether the database has a table `name`.
pub(crate) fn has_table(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?.exists([name])
}

/// Returns the applied migrations, with their numbers and names.
pub(crate) fn applied_migrations(db: &Connection) -> rusqlite::Result<Vec<(u32, String)>> {
    let mut statement = db.prepare("SELECT revision, name FROM schema_migrations ORDER BY revision")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Adds the path of the file to an error of SQLite.
pub(crate) fn explain(error: Error, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => anyhow!("{path} is not a SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => anyhow!("{path} is damaged: {error}"),
        _ => anyhow!("{path}: {error}"),
    }
}

/// Formats the size of the file: `1.5 MiB`.
pub(crate) fn size(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).with_context(|| path.display().to_string())?.len();
    Ok(match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    })
}

/// Whether both paths lead to the same file, also through links.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// Returns the file that SQLite keeps beside `path`: its `-wal`, `-journal` or `-shm`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns the directory of an absolute path.
pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Syncs the directory of `path`, so that a rename to it survives a power failure.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let directory = directory(path);
    let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.with_context(|| directory.display().to_string())
}

/// Marks the database as in use, also between requests: in WAL mode the connection holds a shared lock, which conflicts
/// only with exclusive access. `None` if there is no database.
pub(crate) fn mark_in_use(path: &Path) -> Option<Connection> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).ok()?;
    Some(db)
}

/// Returns whether another program has the database open, as a running server has: see [`mark_in_use`]. Does not create it.
pub(crate) fn is_in_use(path: &Path) -> bool {
    let Ok(db) = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return false };
    // Without shared memory, a write-ahead log needs the file exclusively.
    let locked = db
        .busy_timeout(Duration::ZERO)
        .and_then(|()| db.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(())))
        .and_then(|()| db.execute_batch("BEGIN EXCLUSIVE"));
    locked.is_err_and(|error| {
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    })
}

/// Returns whether another program holds the write lock. Does not create the database.
pub(crate) fn is_locked(path: &Path) -> bool {
    let Ok(db) = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return false };
    // A running server writes for milliseconds at a time.
    let begun = db.busy_timeout(LOCKED_AFTER).and_then(|()| db.execute_batch("BEGIN IMMEDIATE"));
    begun.is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
}
