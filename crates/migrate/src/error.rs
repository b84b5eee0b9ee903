//! Why the database is where it was.

use lanterne_database as db;

/// What stopped a migrator. Whatever it is, the migration in hand has left nothing behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A statement of a migration.
    #[error("{file}, line {line}: {cause}; nothing of this migration is kept; the statement: {statement}")]
    Statement {
        /// From the root of the repository.
        file: String,
        /// Where the statement begins.
        line: usize,
        /// The statement on one line, perhaps cut.
        statement: String,
        /// SQLite's words.
        cause: db::Error,
    },
    /// What the migration left behind.
    #[error("{0}: it would leave rows that refer to rows that are gone; nothing of it is kept")]
    Dangling(String),
    /// The database is ahead of this program.
    #[error(
        "the database has migration {0}, which this program does not know: use the one that made it, or a newer one"
    )]
    Unknown(String),
    /// A migration is not any more what was applied.
    #[error(
        "migration {0} is not what was applied to this database: its text was changed afterwards. Put the old text \
         back and make the change in a new migration; or, if the database already is as the new text would make it, \
         say so with `migrate stamp`"
    )]
    Changed(String),
    /// The database is not ours, or not what it says it is.
    #[error("this database is left as it is: {0}")]
    Foreign(String),
    /// The file is something else.
    #[error("the file is not a database of SQLite, and is left as it is")]
    NotADatabase,
    /// Another program kept the lock for longer than we wait.
    #[error("another program is writing to the database and has not finished for a minute: try again when it has")]
    Busy,
    /// There are not so many migrations in that direction.
    #[error("cannot go {asked} from here: the database is at {place}")]
    TooFar {
        /// The target as it was given.
        asked: String,
        /// Where the database is.
        place: String,
    },
    /// Anything else that the database refused.
    #[error(transparent)]
    Database(db::Error),
}

impl From<db::Error> for Error {
    /// The host passes SQLite's words on, and nothing but the words.
    fn from(error: db::Error) -> Self {
        match &error {
            db::Error::Host(message) if message.contains("database is locked") => Self::Busy,
            db::Error::Host(message) if message.contains("file is not a database") => Self::NotADatabase,
            _ => Self::Database(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use lanterne_database::Connection as _;
    use tempfile::TempDir;

    use super::Error;
    use crate::tests::File;

    #[test]
    fn a_lock_that_is_not_given_up_is_told_in_our_words() {
        let folder = TempDir::new().expect("a temporary folder");
        let (holder, other) = (File::open(folder.path()), File::open(folder.path()));
        holder.run("BEGIN IMMEDIATE");
        let error = block_on(other.query("BEGIN IMMEDIATE", vec![])).expect_err("it is locked");
        assert!(matches!(Error::from(error), Error::Busy));
        let error = block_on(other.query("SELECT * FROM nowhere", vec![])).expect_err("it is not there");
        assert_eq!(Error::from(error).to_string(), "database: no such table: nowhere");
    }
}
