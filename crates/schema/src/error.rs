//! Errors of this crate.

use std::io;
use std::path::PathBuf;

/// Why a folder was refused or no migration was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A message that makes no valid or no free name.
    #[error("{0}")]
    Name(String),
    /// A file or folder that cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
    /// A folder that breaks a rule of `migrations/README.md`.
    #[error("{0}")]
    Folder(String),
    /// SQL that SQLite refuses.
    #[error("{origin}{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Sql {
        /// The file.
        origin: String,
        /// The line, from 1, if SQLite reports a position.
        line: Option<usize>,
        /// SQLite's message.
        message: String,
    },
    /// A part of a schema that is not compared.
    #[error("{0}: write this migration by hand")]
    Unsupported(String),
    /// The generated script fails, or leads to another schema.
    #[error("cannot write this migration, write it by hand: {0}")]
    Unreachable(String),
}
