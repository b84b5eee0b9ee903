//! Errors of the migrator.

use lanterne_database as db;

/// Why a migrator stopped. The migration in progress has left nothing behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A statement of a migration failed.
    #[error("{file}, line {line}: {cause}; nothing of this migration is kept; the statement: {statement}")]
    Statement {
        /// The path from the root of the repository.
        file: String,
        /// The line of the statement, from 1.
        line: usize,
        /// The statement on one line, shortened.
        statement: String,
        /// SQLite's error.
        cause: db::Error,
    },
    /// The migration in this file leaves dangling references.
    #[error("{0}: it would leave rows that refer to rows that are gone; nothing of it is kept")]
    Dangling(String),
    /// The database has a migration that this program does not have.
    #[error(
        "the database has migration {0}, which this program does not know: use the one that made it, or a newer one"
    )]
    Unknown(String),
    /// The text of an applied migration has changed.
    #[error(
        "migration {0} is not what was applied to this database: its text was changed afterwards. Put the old text \
         back and make the change in a new migration; or, if the database already is as the new text would make it, \
         say so with `migrate stamp`"
    )]
    Changed(String),
    /// The database belongs to another program, or is not what Alembic's revision says.
    #[error("this database is left as it is: {0}")]
    Foreign(String),
    /// The file has another format.
    #[error("the file is not a database of SQLite, and is left as it is")]
    NotADatabase,
    /// Another program held the lock for longer than the timeout.
    #[error("another program is writing to the database and has not finished for a minute: try again when it has")]
    Busy,
    /// There are fewer migrations in that direction.
    #[error("cannot go {asked} from here: the database is at {place}")]
    TooFar {
        /// The target as given.
        asked: String,
        /// Where the database is.
        place: String,
    },
    /// Any other error of the database.
    #[error(transparent)]
    Database(db::Error),
}

impl From<db::Error> for Error {
    /// Classifies by SQLite's message: the host reports nothing else.
    fn from(error: db::Error) -> Self {
        match &error {
            db::Error::Host(message) if message.contains("database is locked") => Self::Busy,
            db::Error::Host(message) if message.contains("file is not a database") => Self::NotADatabase,
            _ => Self::Database(error),
        }
    }
}
