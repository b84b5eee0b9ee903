//! The SQL that a migrator would run, for another program to run: `--sql`.
//!
//! It starts where the database is now and has the same result as the migrator, the rows of `schema_migrations`
//! included. Any program that runs plain SQL can run it, such as `sqlite3`.

use lanterne_database::Connection;

use crate::arguments::{Direction, Target};
use crate::error::Error;
use crate::migrations::Migration;
use crate::runner::place;
use crate::versions::{self, State, record_sql};

/// The time at which the script runs, in the format of [`lanterne_database::Timestamp::to_sql`].
const NOW: &str = "strftime('%Y-%m-%d %H:%M:%f000', 'now')";

/// Counts the rows that refer to missing rows: a database of the Python server may have some already.
const COUNT_DANGLING: &str = "\
CREATE TEMP TABLE dangling_references (
    before INTEGER,
    after INTEGER,
    CONSTRAINT \"rows would refer to missing rows\" CHECK (after <= before)
);
INSERT INTO temp.dangling_references (before) SELECT count(*) FROM pragma_foreign_key_check;
";
/// Rolls back if there are more of them now.
const CHECK_DANGLING: &str = "\
UPDATE OR ROLLBACK temp.dangling_references SET after = (SELECT count(*) FROM pragma_foreign_key_check);
DROP TABLE temp.dangling_references;
";

/// Returns the SQL that leads to `target`.
///
/// # Errors
/// The database is refused.
pub(crate) async fn script(
    db: &dyn Connection,
    migrations: &[Migration],
    direction: Direction,
    target: Target,
) -> Result<String, Error> {
    let State { mut position, completion, .. } = versions::read_snapshot(db, migrations).await?.verified(migrations)?;
    let goal = direction.goal(position, target, migrations)?;
    if direction.next(position, goal, migrations).is_none() {
        return Ok(format!("-- Nothing to do: the database is at {}", place(position, migrations)));
    }
    let mut script = format!(
        "-- From {}\n-- to {}.\n-- Run it with: sqlite3 -bail DATABASE < THIS_FILE\n\
         -- It stops, and the migration is rolled back, if that leaves more rows than before that refer to missing rows.\n\n\
         PRAGMA foreign_keys = OFF;\nPRAGMA journal_mode = WAL;\n",
        place(position, migrations),
        place(goal, migrations)
    );
    if let Some(completion) = completion {
        let records = migrations[..position].iter().map(record);
        let parts: Vec<_> = [completion.to_owned()].into_iter().chain(records).collect();
        script.push_str(&transaction("The table of versions", &parts));
    }
    while let Some(migration) = direction.next(position, goal, migrations) {
        let (file, text, note);
        (file, text, note, position) = match direction {
            Direction::Up => ("up", migration.up, record(migration), position + 1),
            Direction::Down => {
                let note = format!("DELETE FROM schema_migrations WHERE revision = {}", migration.revision);
                ("down", migration.down, note, position - 1)
            }
        };
        script.push_str(&transaction(&format!("{migration}: {file}"), &[text.to_owned(), note]));
    }
    Ok(script)
}

/// The statement that records a migration. Names and checksums have no characters that need escaping.
fn record(migration: &Migration) -> String {
    record_sql(&format!("{}, '{}', {NOW}, '{}'", migration.revision, migration.name, migration.checksum()))
}

fn transaction(title: &str, parts: &[String]) -> String {
    let mut script = format!("\n-- {title}\nBEGIN IMMEDIATE;\n{COUNT_DANGLING}");
    for part in parts {
        let part = part.trim_end();
        script.push_str(part);
        // The last statement of a file may lack its semicolon, or have a comment behind it.
        script.push_str(if part.ends_with(';') || part.is_empty() { "\n" } else { "\n;\n" });
    }
    script.push_str(CHECK_DANGLING);
    script.push_str("COMMIT;\n");
    script
}
