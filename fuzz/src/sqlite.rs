//! SQLite in memory, safe to run any SQL in.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};

/// The most steps of SQLite's virtual machine for one input, in units of [`STEPS`].
const UNITS_MAX: u32 = 200;
const STEPS: i32 = 1000;
/// The longest text or blob, in bytes.
const VALUE_SIZE_MAX: i32 = 100_000;

/// Opens a database in memory that opens no other file, and in which statements neither run long nor need much memory.
/// Foreign keys are off, as while migrations run.
///
/// # Errors
/// SQLite cannot allocate it.
pub fn open() -> Result<Connection> {
    let mut db = open_unrestricted()?;
    db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_SIZE_MAX)?;
    let mut units = 0;
    db.progress_handler(
        STEPS,
        Some(move || {
            units += 1;
            units > UNITS_MAX
        }),
    )?;
    db.authorizer(Some(authorize))?;
    Ok(db)
}

/// Opens a database in memory, with foreign keys off.
///
/// # Errors
/// SQLite cannot allocate it.
pub fn open_unrestricted() -> Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.pragma_update(None, "foreign_keys", false)?;
    Ok(db)
}

/// Returns whether no table has a row, as far as they can be read.
///
/// # Panics
/// The schema cannot be read.
#[must_use]
pub fn is_empty(db: &Connection) -> bool {
    let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("the schema");
    let names = tables.query_map([], |row| row.get::<_, String>(0)).and_then(Iterator::collect::<Result<Vec<_>>>);
    let has_rows = |name: &String| {
        let name = name.replace('"', "\"\"");
        db.query_row(&format!("SELECT EXISTS (SELECT 1 FROM \"{name}\")"), [], |row| row.get(0)).unwrap_or(true)
    };
    !names.expect("names").iter().any(has_rows)
}

/// Denies what reaches beyond the database, or lets SQL write the schema as data.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}
