//! The database as a command works on it.

use lanterne_database::params;
use lanterne_database::{self as db, Connection};

use crate::{Database, Failure};

/// Another program that is writing is outwaited: by a command nobody is kept waiting but who runs it. `lanterne` waits for
/// a minute without being asked to.
pub const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 60000";

/// The first migration makes these together: one of them tells of all.
const TABLE: &str = "users";

/// Opens the app's database, in which references are to hold from now on.
///
/// # Errors
/// It cannot be opened, or the migrations were not applied; then the message says how to apply them.
pub async fn open_migrated() -> Result<Database, Failure> {
    let db = Database::open()?;
    db::prepare(&db).await?;
    db.query(BUSY_TIMEOUT, vec![]).await?;
    let rows = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", params![TABLE]).await?;
    if rows.is_empty() {
        return Err(Failure::Failed(format!(
            "the database has no table {TABLE}: run `cargo lanterne migrate upgrade head` first \
             (on Spin: `spin up -f spin.commands.toml -c migrate -- upgrade head`)"
        )));
    }
    Ok(db)
}
