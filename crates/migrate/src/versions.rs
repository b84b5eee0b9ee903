//! The table `schema_migrations`: which migrations the database has, and what their text was.

use lanterne_database::Timestamp;
use lanterne_database::params;
use lanterne_database::{self as db, Connection};

use crate::adoption;
use crate::error::Error;
use crate::migrations::Migration;

/// Makes the table.
pub(crate) const CREATE_TABLE: &str = "\
CREATE TABLE schema_migrations (
    revision INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    applied_at DATETIME NOT NULL,
    checksum VARCHAR(64)
)";

/// Gives the table the column that it had not always.
pub(crate) const ADD_CHECKSUM: &str = "ALTER TABLE schema_migrations ADD COLUMN checksum VARCHAR(64)";

/// A row of the table.
pub(crate) struct Version {
    /// The migration's number.
    pub revision: usize,
    /// What it was called when it was applied.
    pub name: String,
    /// When that was.
    pub applied_at: Timestamp,
    /// The checksum of its text then; `None` if it was applied before checksums were kept.
    pub checksum: Option<String>,
}

impl Version {
    /// Whether `migration`, the one of this row, has another text now.
    pub(crate) fn is_changed(&self, migration: &Migration) -> bool {
        self.checksum.as_ref().is_some_and(|checksum| *checksum != migration.checksum())
    }
}

/// How far along the table is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// There is none.
    Missing,
    /// It has no checksums.
    WithoutChecksums,
    /// It is as [`CREATE_TABLE`] makes it.
    Complete,
}

/// The layout of the table.
///
/// # Errors
/// The table is another program's: the name is a popular one.
pub(crate) async fn layout(db: &impl Connection) -> Result<Layout, Error> {
    let rows = db.query("SELECT name FROM pragma_table_info('schema_migrations')", vec![]).await?;
    let columns = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, db::Error>>()?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    if columns.is_empty() {
        return Ok(Layout::Missing);
    }
    if let Some(missing) = ["revision", "name", "applied_at"].into_iter().find(|name| !has(name)) {
        let fault = format!("its table schema_migrations is another program's: it has no column {missing}");
        return Err(Error::Foreign(fault));
    }
    Ok(if has("checksum") { Layout::Complete } else { Layout::WithoutChecksums })
}

/// Runs `work`, which only reads, on one state of the database. Between two statements of its own another migrator may
/// finish: what was empty a moment ago would have tables of which nobody says whose they are.
pub(crate) async fn reading<T>(db: &impl Connection, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    db.query("BEGIN", vec![]).await?;
    let outcome = work.await;
    // There is nothing to keep or to undo.
    db.query("ROLLBACK", vec![]).await?;
    outcome
}

/// How many of `migrations` the database has, the Python server's counted.
///
/// # Errors
/// The database has one that is not among `migrations`: a newer program made it. Or it is not ours at all.
pub(crate) async fn position(db: &impl Connection, migrations: &[Migration]) -> Result<usize, Error> {
    if layout(db).await? == Layout::Missing {
        return adoption::position(db, migrations).await;
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

/// As [`position`], for those who go on from there.
///
/// # Errors
/// One of the applied migrations has another text now, so that nobody knows what the database is like.
pub(crate) async fn verified_position(db: &impl Connection, migrations: &[Migration]) -> Result<usize, Error> {
    let position = position(db, migrations).await?;
    let applied = applied(db).await?;
    match applied.iter().zip(migrations).find(|(version, migration)| version.is_changed(migration)) {
        Some((_, migration)) => Err(Error::Changed(migration.to_string())),
        None => Ok(position),
    }
}

/// The rows, by number; none if there is no table.
pub(crate) async fn applied(db: &impl Connection) -> Result<Vec<Version>, Error> {
    let checksum = match layout(db).await? {
        Layout::Missing => return Ok(Vec::new()),
        Layout::WithoutChecksums => "NULL",
        Layout::Complete => "checksum",
    };
    let sql = format!("SELECT revision, name, applied_at, {checksum} FROM schema_migrations ORDER BY revision");
    let version = |row: &db::Row| {
        let revision: i64 = row.get(0)?;
        Ok(Version {
            revision: usize::try_from(revision).unwrap_or(0),
            name: row.get(1)?,
            applied_at: row.get(2)?,
            checksum: row.get(3)?,
        })
    };
    db.query(&sql, vec![]).await?.iter().map(version).collect()
}

/// Brings the table up to date, with a row for each migration that the database turns out to have, and returns how
/// many that are. Call it in a transaction.
pub(crate) async fn ensure(db: &impl Connection, migrations: &[Migration], now: Timestamp) -> Result<usize, Error> {
    let position = verified_position(db, migrations).await?;
    match layout(db).await? {
        Layout::Missing => {
            db.query(CREATE_TABLE, vec![]).await?;
            for migration in &migrations[..position] {
                insert(db, migration, now).await?;
            }
        }
        Layout::WithoutChecksums => {
            db.query(ADD_CHECKSUM, vec![]).await?;
        }
        Layout::Complete => {}
    }
    for migration in &migrations[..position] {
        db.query(
            "UPDATE schema_migrations SET checksum = ?2 WHERE revision = ?1 AND checksum IS NULL",
            params![number(migration), migration.checksum()],
        )
        .await?;
    }
    Ok(position)
}

/// Makes the table say that exactly the first `position` of `migrations` are applied, whatever the other tables are
/// like. Those that it said so of already keep their time and take their present text. Call it in a transaction.
///
/// # Errors
/// The table is another program's, or has migrations that this program does not know.
pub(crate) async fn stamp(
    db: &impl Connection,
    migrations: &[Migration],
    position: usize,
    now: Timestamp,
) -> Result<(), Error> {
    match layout(db).await? {
        Layout::Missing => {
            db.query(CREATE_TABLE, vec![]).await?;
        }
        Layout::WithoutChecksums => {
            db.query(ADD_CHECKSUM, vec![]).await?;
        }
        Layout::Complete => {}
    }
    let applied = self::position(db, migrations).await?;
    for migration in migrations[..applied].iter().skip(position) {
        delete(db, migration).await?;
    }
    for migration in &migrations[..position] {
        db.query(
            "INSERT INTO schema_migrations (revision, name, applied_at, checksum) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (revision) DO UPDATE SET checksum = excluded.checksum",
            params![number(migration), migration.name, now, migration.checksum()],
        )
        .await?;
    }
    Ok(())
}

/// Notes that the migration is applied.
pub(crate) async fn insert(db: &impl Connection, migration: &Migration, now: Timestamp) -> Result<(), db::Error> {
    db.query(
        "INSERT INTO schema_migrations (revision, name, applied_at, checksum) VALUES (?1, ?2, ?3, ?4)",
        params![number(migration), migration.name, now, migration.checksum()],
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

/// Whether there is such a table.
pub(crate) async fn has_table(db: &impl Connection, name: &str) -> Result<bool, db::Error> {
    let rows = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", params![name]).await?;
    Ok(!rows.is_empty())
}
