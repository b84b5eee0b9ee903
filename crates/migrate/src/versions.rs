//! The table `schema_migrations`: which migrations the database has, and the checksums of their texts.

use lanterne_database::{self as db, Connection, Timestamp, params};

use crate::adoption;
use crate::error::Error;
use crate::migrations::Migration;

const CREATE_TABLE: &str = "\
CREATE TABLE schema_migrations (
    revision INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    applied_at DATETIME NOT NULL,
    checksum VARCHAR(64)
)";

/// Older versions of this program created the table without checksums.
const ADD_CHECKSUM: &str = "ALTER TABLE schema_migrations ADD COLUMN checksum VARCHAR(64)";

/// What the database says about its migrations.
pub(crate) struct State {
    /// How many are applied. May exceed the rows: the Python server's database has none and counts as at 1.
    pub position: usize,
    /// The rows of the table, by revision.
    pub applied: Vec<Version>,
    /// The statement that creates or completes the table, if one is needed.
    pub completion: Option<&'static str>,
}

/// A row of the table.
pub(crate) struct Version {
    /// The number of the migration.
    pub revision: i64,
    /// Its name when it was applied.
    pub name: String,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// The checksum of its text then; `None` if it was applied before checksums were stored.
    pub checksum: Option<String>,
}

impl Version {
    /// Whether the text of `migration`, the one of this row, has changed since.
    pub(crate) fn is_changed(&self, migration: &Migration) -> bool {
        self.checksum.as_ref().is_some_and(|checksum| *checksum != migration.checksum())
    }
}

/// The statement that records a migration as applied; `values` are those of revision, name, applied_at and checksum. An
/// existing row keeps its time and takes the checksum.
pub(crate) fn record_sql(values: &str) -> String {
    format!(
        "INSERT INTO schema_migrations (revision, name, applied_at, checksum)\nVALUES ({values})\n\
         ON CONFLICT (revision) DO UPDATE SET checksum = excluded.checksum WHERE checksum IS NOT excluded.checksum"
    )
}

/// Reads the state of the database.
///
/// # Errors
/// The database has a migration that is not among `migrations`, or belongs to another program.
pub(crate) async fn read(db: &dyn Connection, migrations: &[Migration]) -> Result<State, Error> {
    let (completion, applied) = read_table(db).await?;
    let position = match completion {
        Some(CREATE_TABLE) => adoption::position(db, migrations).await?,
        _ => known(&applied, migrations)?,
    };
    Ok(State { position, applied, completion })
}

/// Calls [`read`] in one transaction, which changes nothing. Between two single statements another migrator might finish,
/// and its tables would seem to be another program's.
pub(crate) async fn read_snapshot(db: &dyn Connection, migrations: &[Migration]) -> Result<State, Error> {
    db.query("BEGIN", vec![]).await?;
    let state = read(db, migrations).await;
    db.query("ROLLBACK", vec![]).await?;
    state
}

impl State {
    /// Refuses to continue if the text of an applied migration has changed: the schema of the database is unknown then.
    pub(crate) fn verified(self, migrations: &[Migration]) -> Result<Self, Error> {
        match self.applied.iter().zip(migrations).find(|(version, migration)| version.is_changed(migration)) {
            Some((_, migration)) => Err(Error::Changed(migration.to_string())),
            None => Ok(self),
        }
    }
}

/// Completes the table, records the migrations that the database turns out to have, and returns their number. Call it
/// in a transaction.
pub(crate) async fn prepare(db: &dyn Connection, migrations: &[Migration]) -> Result<usize, Error> {
    let State { position, completion, .. } = read(db, migrations).await?.verified(migrations)?;
    complete_and_record(db, completion, &migrations[..position]).await?;
    Ok(position)
}

/// Records that exactly the first `position` migrations are applied, whatever the schema is. Call it in a transaction.
///
/// # Errors
/// The table belongs to another program, or has migrations that are not among `migrations`.
pub(crate) async fn stamp(db: &dyn Connection, migrations: &[Migration], position: usize) -> Result<(), Error> {
    let (completion, applied) = read_table(db).await?;
    known(&applied, migrations)?;
    complete_and_record(db, completion, &migrations[..position]).await?;
    for migration in &migrations[position..] {
        delete(db, migration).await?;
    }
    Ok(())
}

async fn complete_and_record(
    db: &dyn Connection,
    completion: Option<&str>,
    applied: &[Migration],
) -> Result<(), db::Error> {
    if let Some(sql) = completion {
        db.query(sql, vec![]).await?;
    }
    for migration in applied {
        record(db, migration).await?;
    }
    Ok(())
}

/// Records that `migration` is applied.
pub(crate) async fn record(db: &dyn Connection, migration: &Migration) -> Result<(), db::Error> {
    let params = params![number(migration), migration.name, Timestamp::now(), migration.checksum()];
    db.query(&record_sql("?1, ?2, ?3, ?4"), params).await.map(drop)
}

/// Records that `migration` is not applied.
pub(crate) async fn delete(db: &dyn Connection, migration: &Migration) -> Result<(), db::Error> {
    db.query("DELETE FROM schema_migrations WHERE revision = ?1", params![number(migration)]).await.map(drop)
}

/// Reads the rows of the table, and determines the statement that completes it.
///
/// # Errors
/// The table belongs to another program: the name is a common one.
async fn read_table(db: &dyn Connection) -> Result<(Option<&'static str>, Vec<Version>), Error> {
    let rows = db.query("SELECT name FROM pragma_table_info('schema_migrations')", vec![]).await?;
    let columns = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, db::Error>>()?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    if columns.is_empty() {
        return Ok((Some(CREATE_TABLE), Vec::new()));
    }
    if let Some(missing) = ["revision", "name", "applied_at"].into_iter().find(|name| !has(name)) {
        return Err(Error::Foreign(format!(
            "its table schema_migrations belongs to another program: it has no column {missing}"
        )));
    }
    let (completion, checksum) = if has("checksum") { (None, "checksum") } else { (Some(ADD_CHECKSUM), "NULL") };
    let sql = format!("SELECT revision, name, applied_at, {checksum} FROM schema_migrations ORDER BY revision");
    let rows = db.query(&sql, vec![]).await?;
    let version = |row: &db::Row| {
        let (revision, name, applied_at, checksum) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok::<_, db::Error>(Version { revision, name, applied_at, checksum })
    };
    Ok((completion, rows.iter().map(version).collect::<Result<_, _>>()?))
}

/// The number of rows, all of which must be the first ones of `migrations`.
fn known(applied: &[Version], migrations: &[Migration]) -> Result<usize, Error> {
    for (index, version) in applied.iter().enumerate() {
        let known = migrations.get(index);
        if known.is_none_or(|known| number(known) != version.revision || known.name != version.name) {
            return Err(Error::Unknown(format!("{:04} {}", version.revision, version.name)));
        }
    }
    Ok(applied.len())
}

fn number(migration: &Migration) -> i64 {
    i64::try_from(migration.revision).unwrap_or(i64::MAX)
}
