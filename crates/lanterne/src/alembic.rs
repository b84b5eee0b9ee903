//! A database of the Python server, which its Alembic has made, and which has not been used here yet.
//!
//! The component `migrate` adopts such a database when the server starts. Here it is known before one takes another's
//! place: a database that nothing could be done with afterwards is no good exchange.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lanterne_schema::Folder;
use rusqlite::Connection;

use crate::database_file as file;

/// The revision whose tables are those of our first migration, as `crates/migrate` knows it, too.
const REVISION: &str = "7912bf623dee";

/// Where `db`, which is not ours yet, is among our migrations: where the Python server has left it. `backup` is the file
/// that it came from.
pub(crate) fn position(db: &Connection, backup: &Path, migrations: &Path) -> Result<String> {
    let backup = backup.display();
    if !file::has_table(db, "alembic_version")? {
        bail!("{backup} has neither a table schema_migrations nor one of Alembic's: it is no backup of this app");
    }
    let revisions =
        revisions(db).with_context(|| format!("{backup} has another table alembic_version than Alembic"))?;
    if revisions != [REVISION] {
        let found = if revisions.is_empty() { "no revision".to_owned() } else { revisions.join(" and ") };
        bail!("{backup} is at {found} of Alembic: only the Python server's {REVISION} is known here");
    }
    // Without the sources, `migrate` refuses what cannot be checked here.
    if migrations.is_dir() {
        let first = Folder::read(migrations)?.built_by_first(1)?;
        let compared = first.first_lack(db).with_context(|| format!("{backup} cannot be compared"))?;
        if let Some(lack) = compared {
            bail!("{backup} is not what Alembic's note {REVISION} says: {lack}");
        }
    }
    Ok(format!("revision {REVISION} of the Python server, from which the next start goes on"))
}

fn revisions(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT version_num FROM alembic_version")?.query_map([], |row| row.get(0))?.collect()
}
