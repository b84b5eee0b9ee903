//! Whether there is anything to work on.

use lanterne_core::db::Connection;
use lanterne_core::params;

use crate::Failure;

/// The first migration makes these together: one of them tells of all.
const TABLE: &str = "users";

/// Passes if the migrations were applied.
///
/// # Errors
/// They were not; the message says how to apply them.
pub async fn require_migrated(db: &impl Connection) -> Result<(), Failure> {
    let rows = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", params![TABLE]).await?;
    if rows.is_empty() {
        return Err(Failure::Failed(format!(
            "the database has no table {TABLE}: run `cargo lanterne migrate upgrade head` first \
             (on Spin: `spin up -f spin.commands.toml -c migrate -- upgrade head`)"
        )));
    }
    Ok(())
}
