//! Compares two schemas and writes the migration from one to the other.
//!
//! **Comparison.** SQLite keeps the text of every CREATE statement, and only the text has everything: no pragma reports
//! CHECK, COLLATE, ON CONFLICT, AUTOINCREMENT or the expression of a generated column. Two texts are equal if their tokens
//! are, whatever the spaces, comments, quotes and case of names; [`definition`] splits a CREATE TABLE into columns and
//! constraints. What decides about rows (NOT NULL, the default, whether a column is generated) comes from
//! `pragma table_xinfo`, which also verifies the splitting. The order of columns matters, since a row has one; the order
//! of constraints does not.
//!
//! **No guesses.** A column that is gone and a new one of the same type may be a rename or not: the script drops and
//! adds, and a comment in it says how to write the rename instead. A value that rows need and nothing provides is not
//! invented: the script fails there unless the table is empty, and a comment says where to write the value.
//!
//! **No losses.** What is in rows cannot be known here. So a script has [`guard`]s, which make it fail on a database whose
//! rows it would lose or change, apart from the columns and tables that it drops.

mod definition;
mod difference;
mod guard;
mod names;
mod plan;
mod rebuild;
mod schema;
mod script;

pub use schema::Schema;
pub use script::Script;

use crate::error::Error;
use crate::folder::Folder;
use schema::sql_error;

/// The file with the schema after all migrations.
const SCHEMA_FILE: &str = "schema.sql";

/// A migration.
pub struct Scripts {
    /// The text of `up.sql`.
    pub up: Script,
    /// The text of `down.sql`.
    pub down: Script,
}

/// Writes the migration from `built` to `wanted`; `None` if they are equal.
///
/// # Errors
/// SQLite refuses both forms of a script, or they lead elsewhere: the migration has to be written by hand.
pub fn autogenerate(built: &Schema, wanted: &Schema) -> Result<Option<Scripts>, Error> {
    if built.first_difference(wanted).is_none() {
        return Ok(None);
    }
    Ok(Some(Scripts { up: tested_script(built, wanted)?, down: tested_script(wanted, built)? }))
}

/// Lists the tables and columns of `from` that `to` does not have, as clauses: `the table teams`, `users.name`.
pub fn losses(from: &Schema, to: &Schema) -> Vec<String> {
    Script::write(from, to, false).drops
}

/// Writes a script and runs it on a copy. ALTER TABLE has restrictions that are hard to foresee: if the first script
/// fails, the second rebuilds every table that changes.
fn tested_script(from: &Schema, to: &Schema) -> Result<Script, Error> {
    let script = Script::write(from, to, false);
    if run(&script, from, to).is_ok() {
        return Ok(script);
    }
    let script = Script::write(from, to, true);
    run(&script, from, to).map(|()| script)
}

fn run(script: &Script, from: &Schema, to: &Schema) -> Result<(), Error> {
    let db = from.to_database()?;
    let transaction = format!("BEGIN;\n{}\nCOMMIT;", script.sql);
    db.execute_batch(&transaction).map_err(|error| match sql_error("", "", error) {
        Error::Sql { message, .. } => Error::Unreachable(message),
        error => error,
    })?;
    match Schema::read(&db, |_| true)?.first_difference(to) {
        Some(difference) => Err(Error::Unreachable(difference)),
        None => Ok(()),
    }
}

impl Folder {
    /// Builds the schema of all migrations. Fails, as the two below do, if SQLite refuses a file.
    pub fn built(&self) -> Result<Schema, Error> {
        self.built_by_first(self.migrations.len())
    }

    /// Builds the schema of the first `count` migrations.
    pub fn built_by_first(&self, count: usize) -> Result<Schema, Error> {
        let files = self.migrations.iter().take(count).map(|migration| format!("{}/up.sql", migration.folder()));
        Schema::from_sql(files.map(|file| self.text(&file)).collect::<Result<Vec<_>, _>>()?)
    }

    /// Builds the schema in `schema.sql`; `None` if there is no such file.
    pub fn wanted(&self) -> Result<Option<Schema>, Error> {
        if !self.path.join(SCHEMA_FILE).exists() {
            return Ok(None);
        }
        Schema::from_sql([self.text(SCHEMA_FILE)?]).map(Some)
    }

    /// Reads a file below the folder; returns its path as well, which errors name.
    fn text(&self, file: &str) -> Result<(String, String), Error> {
        let path = self.path.join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path.display().to_string(), text)),
            Err(cause) => Err(Error::File { path, cause }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_sql_name_the_file_and_the_line() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::read(temporary.path()).unwrap();
        assert!(folder.wanted().unwrap().is_none());
        folder.add("first", "CREATE TABLE a (b);\n\nCREATE TABLE a (c);", "").unwrap();
        let error = Folder::read(temporary.path()).unwrap().built().err().unwrap().to_string();
        assert!(error.ends_with("0001_first/up.sql, line 3: table a already exists"), "{error}");
    }
}
