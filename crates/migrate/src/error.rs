//! Errors of the migrator.

use lanterne_database as db;

/// Why a migrator stopped. The migration in progress has left nothing behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A statement of a migration failed.
    #[error("{file}, line {line}: {cause}; the migration was rolled back; the statement: {statement}")]
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
    #[error("{0}: leaves rows that refer to missing rows; the migration was rolled back")]
    Dangling(String),
    /// The database has a migration that this program does not have.
    #[error("the database has migration {0}, unknown to this program: use the version that applied it, or a newer one")]
    Unknown(String),
    /// The text of an applied migration has changed.
    #[error(
        "migration {0} was changed after it was applied to this database: restore its text and make the change in a new \
         migration; or, if the schema already matches the new text, run `migrate stamp`"
    )]
    Changed(String),
    /// The database belongs to another program, or is not what Alembic's revision says.
    #[error("this database was left unchanged: {0}")]
    Foreign(String),
    /// The file has another format.
    #[error("the file is not an SQLite database and was left unchanged")]
    NotADatabase,
    /// The host enforces foreign keys whatever the setting.
    #[error(
        "foreign keys cannot be switched off on this connection, and rebuilding a table would delete the rows that refer to \
         it: the database was left unchanged"
    )]
    ForeignKeys,
    /// Another program held the lock for longer than the timeout.
    #[error(
        "the database is locked: another program has been writing to it for a minute; try again when it has finished"
    )]
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
