//! A database without the table `schema_migrations`: empty, created by the Python server, or another program's.
//!
//! Only the first two are accepted. Alembic's revision alone is no proof: its tables may have been changed by hand, and
//! later statements would fail on them.

use lanterne_database::{self as db, Connection};

use crate::error::Error;
use crate::migrations::Migration;

/// The Alembic revision of the Python server whose tables are those of migration 0001.
const ALEMBIC_REVISION: &str = "7912bf623dee";

/// A table of the Python server.
pub(crate) struct Table {
    pub name: &'static str,
    /// The names and types of all columns: `id INTEGER, email VARCHAR(255)`.
    pub columns: &'static str,
    /// The columns with a unique index, on which our statements rely.
    pub unique: &'static [&'static str],
}

/// The tables of that revision. A test compares them with migration 0001.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "users",
        columns: "id INTEGER, email VARCHAR(255), hashed_password VARCHAR(255), is_active BOOLEAN, is_admin BOOLEAN, \
                  created_at DATETIME, updated_at DATETIME",
        unique: &["email"],
    },
    Table {
        name: "sessions",
        columns: "id INTEGER, user_id INTEGER, access_token_jti VARCHAR(36), refresh_token_jti VARCHAR(36), \
                  is_valid BOOLEAN, created_at DATETIME, expires_at DATETIME",
        unique: &["access_token_jti", "refresh_token_jti"],
    },
    Table {
        name: "audit_logs",
        columns: "id INTEGER, user_id INTEGER, action VARCHAR(100), resource VARCHAR(100), resource_id VARCHAR(255), \
                  details TEXT, ip_address VARCHAR(45), user_agent VARCHAR(500), created_at DATETIME",
        unique: &[],
    },
];

/// Returns how many migrations a database without our table has: 0 if it is empty, 1 if the Python server's Alembic
/// created it.
///
/// # Errors
/// It is neither.
pub(crate) async fn position(db: &dyn Connection, migrations: &[Migration]) -> Result<usize, Error> {
    let revisions = alembic_revisions(db).await?;
    match revisions.as_slice() {
        [] => {
            refuse_tables(db, migrations).await?;
            Ok(0)
        }
        [revision] if revision == ALEMBIC_REVISION => match difference(db).await? {
            None => Ok(1),
            Some(difference) => Err(Error::Foreign(format!(
                "its alembic_version is {ALEMBIC_REVISION}, the Python server's, but {difference}"
            ))),
        },
        revisions => Err(Error::Unknown(format!("{} of Alembic", revisions.join(" and ")))),
    }
}

/// Reads Alembic's revisions; none if it has reverted them all or never ran.
async fn alembic_revisions(db: &dyn Connection) -> Result<Vec<String>, db::Error> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'";
    if db.query(table, vec![]).await?.is_empty() {
        return Ok(Vec::new());
    }
    texts(db, "SELECT version_num FROM alembic_version").await
}

/// Refuses a database that has any table or view.
async fn refuse_tables(db: &dyn Connection, migrations: &[Migration]) -> Result<(), Error> {
    let sql = "SELECT name FROM sqlite_master
               WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'alembic_version'
               ORDER BY name LIMIT 4";
    let mut names = texts(db, sql).await?;
    if names.is_empty() {
        return Ok(());
    }
    if let Some(fourth) = names.get_mut(3) {
        *fourth = "...".to_owned();
    }
    let names = names.join(", ");
    let mut fault = format!("it has tables ({names}), and neither schema_migrations nor alembic_version");
    if let (None, Some(first)) = (difference(db).await?, migrations.first()) {
        let name = first.folder();
        fault.push_str(&format!("; they match {name}: if it created them, run `migrate stamp {name}`"));
    }
    Err(Error::Foreign(fault))
}

/// The first difference from the Python server's tables, as a clause.
async fn difference(db: &dyn Connection) -> Result<Option<String>, db::Error> {
    for Table { name, columns, unique } in TABLES {
        let sql = format!("SELECT name || ' ' || upper(type) FROM pragma_table_info('{name}')");
        let found = texts(db, &sql).await?;
        if found.is_empty() {
            return Ok(Some(format!("there is no table {name}")));
        }
        let found: Vec<_> = found.iter().filter_map(|column| column.split_once(' ')).collect();
        let expected: Vec<_> = columns.split(", ").filter_map(|column| column.split_once(' ')).collect();
        for (column, expected) in &expected {
            match found.iter().find(|(found, _)| found == column) {
                None => return Ok(Some(format!("its table {name} has no column {column}"))),
                Some((_, found)) if found != expected => {
                    return Ok(Some(format!("its column {name}.{column} is {found:?} and not {expected}")));
                }
                Some(_) => {}
            }
        }
        if let Some((extra, _)) = found.iter().find(|(found, _)| expected.iter().all(|(column, _)| found != column)) {
            return Ok(Some(format!("its table {name} has a column {extra}, which is not the Python server's")));
        }
        // Indexes of this column alone, over all rows.
        let sql = format!(
            "SELECT coalesce((SELECT group_concat(name) FROM pragma_index_info(i.name)), '')
             FROM pragma_index_list('{name}') AS i WHERE i.\"unique\" = 1 AND i.partial = 0"
        );
        let indexed = texts(db, &sql).await?;
        if let Some(column) = unique.iter().find(|column| indexed.iter().all(|indexed| indexed != *column)) {
            return Ok(Some(format!("its column {name}.{column} has no unique index")));
        }
    }
    Ok(None)
}

/// Runs a query of one text column.
async fn texts(db: &dyn Connection, sql: &str) -> Result<Vec<String>, db::Error> {
    db.query(sql, vec![]).await?.iter().map(|row| row.get(0)).collect()
}
