//! The table `schema_migrations`: which migrations the database has.

use lanterne_core::db::{self, Connection};
use lanterne_core::params;
use lanterne_core::timestamp::Timestamp;

use crate::migrations::Migration;
use crate::runner::Error;

/// The Alembic revision of the Python server whose tables are those of our migration 0001.
const ALEMBIC_REVISION: &str = "7912bf623dee";

/// A row of the table.
pub(crate) struct Version {
    /// The migration's number.
    pub revision: usize,
    /// What it was called when it was applied.
    pub name: String,
    /// When that was.
    pub applied_at: Timestamp,
}

/// How many of `migrations` the database has, the Python server's counted.
///
/// # Errors
/// The database has one that is not among `migrations`: a newer program made it.
pub(crate) async fn position(db: &impl Connection, migrations: &[Migration]) -> Result<usize, Error> {
    if !has_table(db, "schema_migrations").await? {
        return alembic_position(db).await;
    }
    let applied = applied(db).await?;
    for (index, version) in applied.iter().enumerate() {
        let known = migrations.get(index);
        if known.is_none_or(|known| known.revision != version.revision || known.name != version.name) {
            return Err(Error::Unknown(format!("{:04} {}", version.revision, version.name)));
        }
    }
    Ok(applied.len())
}

/// The rows, by number; none if there is no table.
pub(crate) async fn applied(db: &impl Connection) -> Result<Vec<Version>, db::Error> {
    if !has_table(db, "schema_migrations").await? {
        return Ok(Vec::new());
    }
    let rows = db.query("SELECT revision, name, applied_at FROM schema_migrations ORDER BY revision", vec![]).await?;
    let version = |row: &db::Row| {
        let revision: i64 = row.get(0)?;
        Ok(Version { revision: usize::try_from(revision).unwrap_or(0), name: row.get(1)?, applied_at: row.get(2)? })
    };
    rows.iter().map(version).collect()
}

/// Makes the table if it is not there, with a row for each migration that the database turns out to have, and
/// returns how many that are. Call it in a transaction.
pub(crate) async fn ensure(db: &impl Connection, migrations: &[Migration], now: Timestamp) -> Result<usize, Error> {
    let position = position(db, migrations).await?;
    if !has_table(db, "schema_migrations").await? {
        db.query(
            "CREATE TABLE schema_migrations (
                revision INTEGER NOT NULL PRIMARY KEY,
                name VARCHAR(255) NOT NULL,
                applied_at DATETIME NOT NULL
            )",
            vec![],
        )
        .await?;
        for migration in &migrations[..position] {
            insert(db, migration, now).await?;
        }
    }
    Ok(position)
}

/// Notes that the migration is applied.
pub(crate) async fn insert(db: &impl Connection, migration: &Migration, now: Timestamp) -> Result<(), db::Error> {
    db.query(
        "INSERT INTO schema_migrations (revision, name, applied_at) VALUES (?1, ?2, ?3)",
        params![number(migration), migration.name, now],
    )
    .await?;
    Ok(())
}

/// Notes that the migration is not applied any more.
pub(crate) async fn delete(db: &impl Connection, migration: &Migration) -> Result<(), db::Error> {
    db.query("DELETE FROM schema_migrations WHERE revision = ?1", params![number(migration)]).await?;
    Ok(())
}

fn number(migration: &Migration) -> i64 {
    i64::try_from(migration.revision).unwrap_or(i64::MAX)
}

/// Where a database without our table is: at 0001 if the Python server's Alembic made it, else at base.
async fn alembic_position(db: &impl Connection) -> Result<usize, Error> {
    if !has_table(db, "alembic_version").await? {
        return Ok(0);
    }
    let rows = db.query("SELECT version_num FROM alembic_version", vec![]).await?;
    let revisions = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    match revisions.as_slice() {
        [] => Ok(0),
        [revision] if revision == ALEMBIC_REVISION => Ok(1),
        revisions => Err(Error::Unknown(format!("Alembic's {}", revisions.join(" and ")))),
    }
}

async fn has_table(db: &impl Connection, name: &str) -> Result<bool, db::Error> {
    let rows = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", params![name]).await?;
    Ok(!rows.is_empty())
}
