//! `lanterne restore`: a backup in the place of the database.
//!
//! What is checked is a copy of the file beside the database, and the same copy takes the database's place: nobody can
//! change it in between, and until its last step a restore that fails has changed nothing.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lanterne_schema::Folder;
use rusqlite::{Connection, OpenFlags};

use crate::alembic;
use crate::cli::Restore;
use crate::database_file as file;
use crate::replacement;
use crate::session::Session;
use lanterne_host::console::Mistake;
use lanterne_host::storage;

/// Replaces the database; gives the exit status.
pub(crate) fn run(restore: &Restore) -> Result<i32> {
    let session = Session::at(&restore.place, &[])?;
    let database = session.database()?;
    let backup = std::path::absolute(&restore.file)?;
    if file::is_same(&backup, &database) {
        return Err(Mistake::new(format!("{} is the database itself", backup.display())));
    }
    let source = file::open(&backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let directory = database.parent().unwrap_or(Path::new("/"));
    storage::create_private_dir(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let copy = tempfile::Builder::new().prefix(".lanterne-restore-").tempfile_in(directory);
    let copy = copy.with_context(|| format!("cannot write to {}", directory.display()))?;
    let position = {
        let db = file::copy(&source, &backup, copy.path())?;
        file::check_integrity(&db, &backup)?;
        check_references(&db, &backup, restore.force)?;
        let position = position(&db, &backup, &session.project.dir.join("migrations"))?;
        // As the migrations leave it: readers and a writer that do not wait for each other.
        file::set_journal_mode(&db, "wal").map_err(|error| file::explain(error, copy.path()))?;
        position
    };
    copy.as_file().sync_all().with_context(|| format!("cannot write to {}", directory.display()))?;

    let kept = replacement::replace(&database, copy)?;
    let console = session.console;
    console.done("Restored", format_args!("{} from {}, at {position}", database.display(), backup.display()));
    if let Some(kept) = kept {
        console.done("Kept", format_args!("the database that was there: {}", kept.display()));
    }
    Ok(0)
}

/// Refuses rows that refer to rows that are gone, unless they are wanted.
fn check_references(db: &Connection, backup: &Path, force: bool) -> Result<()> {
    let count = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get::<_, i64>(0));
    match count.map_err(|error| file::explain(error, backup))? {
        0 => Ok(()),
        _ if force => Ok(()),
        count => bail!("{}: {count} rows refer to rows that are gone; --force takes it all the same", backup.display()),
    }
}

/// Where the backup is among the migrations, all of which must be known.
fn position(db: &Connection, backup: &Path, migrations: &Path) -> Result<String> {
    if !file::has_table(db, "schema_migrations")? {
        return alembic::position(db, backup, migrations);
    }
    let backup = backup.display();
    let rows = || {
        let mut statement = db.prepare("SELECT revision, name FROM schema_migrations ORDER BY revision")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<(u32, String)>>>()
    };
    let applied = rows().with_context(|| format!("{backup} has another table schema_migrations than this app"))?;
    let Some((newest, name)) = applied.last() else {
        return Ok("base, with no migration applied".to_owned());
    };
    // An app may be installed without its sources. What it cannot check here, `migrate` refuses when the server starts.
    if migrations.is_dir() {
        let known = Folder::read(migrations)?.migrations;
        for (index, (revision, name)) in applied.iter().enumerate() {
            let revision = *revision as usize;
            let is_known = known.get(index).is_some_and(|known| known.number == revision && known.name == *name);
            if !is_known && revision > known.len() {
                bail!(
                    "{backup} is newer than this app: it has migration {revision:04} {name}, which is not known here"
                );
            }
            if !is_known {
                bail!("{backup} is of another app: its migration {revision:04} {name} is not the one here");
            }
        }
    }
    Ok(format!("migration {newest:04} {name}"))
}
