//! Why there is no migration.

use std::path::PathBuf;
use std::{fmt, io};

/// Why there is no migration.
#[derive(Debug)]
pub enum Error {
    /// The words that should name a migration.
    Name(String),
    /// A file or a folder.
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A folder that breaks a rule of `migrations/README.md`.
    Folder(String),
    /// SQL that SQLite refuses.
    Sql {
        /// The file it is in.
        origin: String,
        /// The line, if SQLite tells.
        line: Option<usize>,
        /// What SQLite said.
        message: String,
    },
    /// Something in a schema that is not compared.
    Unsupported(String),
    /// The script does not lead where it should.
    Unreachable(String),
}

impl Error {
    /// What SQLite said of `sql`, which is all or the rest of the text from `origin`.
    pub(crate) fn sql(origin: &str, text: &str, error: rusqlite::Error) -> Self {
        let (line, message) = match error {
            rusqlite::Error::SqlInputError { msg, sql, offset, .. } => {
                // A batch is given to SQLite one rest after the other: count the lines before this one, too.
                let before = text.len().saturating_sub(sql.len()) + usize::try_from(offset).unwrap_or(0);
                let lines = text.get(..before).filter(|_| text.ends_with(&sql)).map(|text| text.matches('\n').count());
                (lines.map(|lines| lines + 1), msg)
            }
            rusqlite::Error::SqliteFailure(_, Some(message)) => (None, message),
            error => (None, error.to_string()),
        };
        Self::Sql { origin: origin.to_owned(), line, message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(fault) | Self::Folder(fault) => f.write_str(fault),
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Sql { origin, line: Some(line), message } => write!(f, "{origin}, line {line}: {message}"),
            Self::Sql { origin, line: None, message } => write!(f, "{origin}: {message}"),
            Self::Unsupported(what) => write!(f, "{what}: write this migration by hand"),
            Self::Unreachable(why) => write!(f, "cannot write this migration, write it by hand: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
