//! The migrations of the database, which the command `migrate` records.

use lanterne_database::{Connection, Error};

/// The number of the newest migration that the statements of the API rely on.
pub const REQUIRED: i64 = 6;

/// Returns the number of the newest applied migration; `None` without any.
pub async fn newest(db: &dyn Connection) -> Result<Option<i64>, Error> {
    match db.query("SELECT max(revision) FROM schema_migrations", vec![]).await {
        Err(Error::Host(message)) if message.contains("no such table") => Ok(None),
        rows => rows?.first().map_or(Ok(None), |row| row.get(0)),
    }
}
