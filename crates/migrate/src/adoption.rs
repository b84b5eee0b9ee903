//! A database without our table of versions: empty, made by the Python server, or somebody else's.
//!
//! Only what is certainly one of the first two is touched. What a database says of itself is not enough: Alembic's note
//! may stand beside tables that were changed by hand, on which every later statement would fail.

use lanterne_database::params;
use lanterne_database::{self as db, Connection};

use crate::error::Error;
use crate::migrations::Migration;
use crate::versions::has_table;

/// The Alembic revision of the Python server whose tables are those of our migration 0001.
const ALEMBIC_REVISION: &str = "7912bf623dee";

/// A table of the Python server.
pub(crate) struct Table {
    /// Its name.
    pub name: &'static str,
    /// The names and types of its columns.
    pub columns: &'static [(&'static str, &'static str)],
    /// The columns that no two rows have alike, which our statements rely on.
    pub unique: &'static [&'static str],
}

/// The tables of that revision. (A test holds them against what 0001 makes.)
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "users",
        columns: &[
            ("id", "INTEGER"),
            ("email", "VARCHAR(255)"),
            ("hashed_password", "VARCHAR(255)"),
            ("is_active", "BOOLEAN"),
            ("is_admin", "BOOLEAN"),
            ("created_at", "DATETIME"),
            ("updated_at", "DATETIME"),
        ],
        unique: &["email"],
    },
    Table {
        name: "sessions",
        columns: &[
            ("id", "INTEGER"),
            ("user_id", "INTEGER"),
            ("access_token_jti", "VARCHAR(36)"),
            ("refresh_token_jti", "VARCHAR(36)"),
            ("is_valid", "BOOLEAN"),
            ("created_at", "DATETIME"),
            ("expires_at", "DATETIME"),
        ],
        unique: &["access_token_jti", "refresh_token_jti"],
    },
    Table {
        name: "audit_logs",
        columns: &[
            ("id", "INTEGER"),
            ("user_id", "INTEGER"),
            ("action", "VARCHAR(100)"),
            ("resource", "VARCHAR(100)"),
            ("resource_id", "VARCHAR(255)"),
            ("details", "TEXT"),
            ("ip_address", "VARCHAR(45)"),
            ("user_agent", "VARCHAR(500)"),
            ("created_at", "DATETIME"),
        ],
        unique: &[],
    },
];

/// Where a database without our table is: at base if it is empty, at 0001 if the Python server's Alembic made it.
///
/// # Errors
/// It is neither.
pub(crate) async fn position(db: &impl Connection, migrations: &[Migration]) -> Result<usize, Error> {
    let revisions = alembic_revisions(db).await?;
    match revisions.as_slice() {
        [] => {
            refuse_tables(db, migrations).await?;
            Ok(0)
        }
        [revision] if revision == ALEMBIC_REVISION => {
            if let Some(difference) = difference(db).await? {
                return Err(Error::Foreign(format!(
                    "Alembic's note says {ALEMBIC_REVISION}, the Python server's revision, but {difference}"
                )));
            }
            Ok(1)
        }
        revisions => Err(Error::Unknown(format!("{} of Alembic", revisions.join(" and ")))),
    }
}

/// What Alembic notes; nothing if it has taken all its revisions back, or was never here.
async fn alembic_revisions(db: &impl Connection) -> Result<Vec<String>, Error> {
    if !has_table(db, "alembic_version").await? {
        return Ok(Vec::new());
    }
    let rows = db.query("SELECT version_num FROM alembic_version", vec![]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

/// Refuses a database that has anything in it.
async fn refuse_tables(db: &impl Connection, migrations: &[Migration]) -> Result<(), Error> {
    let rows = db
        .query(
            "SELECT name FROM sqlite_master
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'alembic_version'
             ORDER BY name LIMIT 4",
            vec![],
        )
        .await?;
    let mut names = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, db::Error>>()?;
    if names.is_empty() {
        return Ok(());
    }
    if names.len() == 4 {
        names[3] = "...".to_owned();
    }
    let names = names.join(", ");
    let mut fault = format!("it has tables ({names}), and neither schema_migrations nor alembic_version says whose");
    if let (None, Some(first)) = (difference(db).await?, migrations.first()) {
        let name = first.folder();
        fault.push_str(&format!("; they look like those of {name}: if they are, `migrate stamp {name}` says so"));
    }
    Err(Error::Foreign(fault))
}

/// The first thing in which the tables are not those of the Python server, as a clause.
async fn difference(db: &impl Connection) -> Result<Option<String>, db::Error> {
    for table in TABLES {
        let rows = db.query("SELECT name, type FROM pragma_table_info(?1)", params![table.name]).await?;
        let column = |row: &db::Row| Ok((row.get::<String>(0)?, row.get::<String>(1)?.to_uppercase()));
        let found = rows.iter().map(column).collect::<Result<Vec<_>, db::Error>>()?;
        if found.is_empty() {
            return Ok(Some(format!("there is no table {}", table.name)));
        }
        let Table { name, columns, unique } = *table;
        for (column, expected) in columns {
            match found.iter().find(|(found, _)| found == column) {
                None => return Ok(Some(format!("its table {name} has no column {column}"))),
                Some((_, found)) if found != expected => {
                    return Ok(Some(format!("its column {name}.{column} is {found:?} and not {expected}")));
                }
                Some(_) => {}
            }
        }
        if let Some((extra, _)) = found.iter().find(|(found, _)| columns.iter().all(|(column, _)| found != column)) {
            return Ok(Some(format!("its table {name} has a column {extra}, which is not the Python server's")));
        }
        for column in unique {
            if !is_unique(db, name, column).await? {
                return Ok(Some(format!("its column {name}.{column} has no unique index")));
            }
        }
    }
    Ok(None)
}

/// Whether an index over this column alone, and over all rows, allows no value twice.
async fn is_unique(db: &impl Connection, table: &str, column: &str) -> Result<bool, db::Error> {
    let rows = db
        .query(
            "SELECT 1 FROM pragma_index_list(?1) AS i
             WHERE i.\"unique\" = 1 AND i.partial = 0
               AND (SELECT group_concat(name) FROM pragma_index_info(i.name)) = ?2",
            params![table, column],
        )
        .await?;
    Ok(!rows.is_empty())
}
