//! The persistent state of components, in SQLite files with the paths and layout of Spin.

#![allow(unreachable_pub, reason = "the generated bindings re-export the resource types")]

mod connection;
mod database;
mod key_value;
mod write_queue;

use std::ffi::c_int;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rusqlite::ErrorCode;

pub use connection::Connection;
pub(crate) use database::{Database, Limits};
pub use key_value::Store;
use write_queue::WriteQueue;

/// The most bytes of one value, and of one operation's whole result, which is held in memory.
const RESULT_SIZE_MAX: usize = 32 << 20;

/// The directory of an app's databases and key-value stores, laid out as `spin up` does.
#[derive(Clone, Debug)]
pub struct StateDir {
    pub(crate) path: PathBuf,
    default_database: PathBuf,
}

impl StateDir {
    /// The state in the directory `path`, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { default_database: path.join("sqlite_db.db"), path }
    }

    /// Moves the database `default` to `file`, whose directory must exist.
    #[must_use]
    pub fn with_default_database(self, file: PathBuf) -> Self {
        Self { default_database: file, ..self }
    }

    /// Returns the file of the database `default`.
    #[must_use]
    pub fn default_database(&self) -> &Path {
        &self.default_database
    }

    /// Returns the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file of the key-value stores.
    #[must_use]
    pub fn key_value_file(&self) -> PathBuf {
        self.path.join("sqlite_key_value.db")
    }

    /// Returns the file of the database `name`.
    pub(crate) fn database(&self, name: &str) -> Result<PathBuf> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            bail!("the database name {name:?} must consist of letters, digits, - and _");
        }
        Ok(match name {
            "default" => self.default_database.clone(),
            _ => self.path.join(format!("sqlite_{name}.db")),
        })
    }
}

/// Creates a directory that only the user can read, and its missing parents. An existing one keeps its mode.
///
/// # Errors
/// The directory cannot be created.
pub fn create_private_dir(path: &Path) -> Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.with_context(|| format!("cannot create the directory {}", path.display()))
}

/// Creates an empty file, which SQLite treats as an empty database, readable only by the user; SQLite itself would make
/// it readable by everybody. The journal files beside a database get its mode. Follows a dangling symbolic link.
///
/// Does not open an existing file: closing it would release the POSIX locks of all connections of this process. If the
/// file cannot be created, opening the database reports the reason.
fn create_private_file(path: &Path) {
    if !path.exists() {
        let _: io::Result<File> = File::options().append(true).create(true).mode(0o600).open(path);
    }
}

/// SQLite's message for a lock that was not released in time.
const LOCKED: &str = "database is locked";

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Whether a connection may keep failing after the cause of this error is gone: SQLite remembers, for example, that it
/// could open the file only for reading.
fn is_lasting(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    code.is_some_and(|code| matches!(code, CannotOpen | DatabaseCorrupt | NotADatabase | ReadOnly | SystemIoFailure))
}

/// Builds an error as SQLite reports it.
fn sqlite_failure(code: c_int, message: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(message.into()))
}

/// Wraps an error that is not SQLite's.
fn failure(reason: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(reason.into().into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn new_files_are_private_and_existing_ones_unchanged() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let temporary = tempfile::TempDir::new().unwrap();
        let root = temporary.path().join("root");
        let dir = root.join("a/b");
        create_private_dir(&dir).unwrap();
        let file = dir.join("x.db");
        create_private_file(&file);
        assert_eq!([mode(&root), mode(&dir), mode(&file)], [0o700, 0o700, 0o600]);

        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&file, "kept").unwrap();
        create_private_dir(&dir).unwrap();
        create_private_file(&file);
        assert_eq!([mode(&dir), mode(&file)], [0o755, 0o644]);
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    }
}
