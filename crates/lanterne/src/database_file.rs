//! A SQLite file as a whole: opened, copied, checked.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

/// How long to wait for somebody who is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the file, which must be there.
pub(crate) fn open(path: &Path, mode: OpenFlags) -> Result<Connection> {
    if !path.is_file() {
        bail!("there is no database {}", path.display());
    }
    let open = || {
        let db = Connection::open_with_flags(path, mode)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        Ok(db)
    };
    open().map_err(|error| explain(error, path))
}

/// Copies the database into the file `to`, as it is at one moment, and returns the copy.
///
/// All pages in one step: a read transaction, which in WAL mode nobody has to wait for. Step by step, every change in
/// between would begin the copy anew.
pub(crate) fn copy(from: &Connection, from_path: &Path, to: &Path) -> Result<Connection> {
    let mut copy = open(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let step = Backup::new(from, &mut copy).and_then(|backup| backup.step(-1));
    match step.map_err(|error| explain(error, from_path))? {
        StepResult::Done => Ok(copy),
        _ => bail!("{} is locked by another program", from_path.display()),
    }
}

/// Sets the journal mode and makes sure that it is set.
pub(crate) fn set_journal_mode(db: &Connection, mode: &str) -> rusqlite::Result<()> {
    let now: String = db.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))?;
    if now == mode {
        return Ok(());
    }
    Err(Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), Some("database is locked".into())))
}

/// Reads every page and every index.
pub(crate) fn check_integrity(db: &Connection, path: &Path) -> Result<()> {
    let verdict: Result<String, Error> = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match verdict.map_err(|error| explain(error, path))?.as_str() {
        "ok" => Ok(()),
        fault => bail!("{} is damaged: {}", path.display(), fault.lines().last().unwrap_or_default()),
    }
}

/// Whether it has such a table.
pub(crate) fn has_table(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?.exists([name])
}

/// SQLite's words, about this file.
pub(crate) fn explain(error: Error, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => anyhow::anyhow!("{path} is not a SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => anyhow::anyhow!("{path} is damaged: {error}"),
        _ => anyhow::anyhow!("{path}: {error}"),
    }
}

/// The size of the file, for people.
pub(crate) fn size(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).with_context(|| path.display().to_string())?.len();
    Ok(match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    })
}

/// Whether both are the same file, through links too.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// What SQLite keeps beside the file `path`: `-wal`, `-journal` or `-shm`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the names in the directory of `path` outlast a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .with_context(|| directory.display().to_string())
}

/// A connection that a server keeps as a sign that it is there, since it opens its own for requests only. In WAL mode it
/// has a shared lock on the file, which hinders nobody but those who want the file for themselves. No sign is no fault:
/// the app may have no database.
pub(crate) fn leave_sign(path: &Path) -> Option<Connection> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).ok()?;
    Some(db)
}
