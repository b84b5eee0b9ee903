//! The two texts of a migration, tried before they are given out.

use super::schema::Schema;
use super::script::Script;
use crate::error::Error;

/// A migration.
pub struct Scripts {
    /// Makes the change.
    pub up: Script,
    /// Takes it back.
    pub down: Script,
}

/// The migration from `built` to `wanted`; `None` if they are the same.
///
/// # Errors
/// SQLite does not do what the scripts say, or they lead elsewhere: somebody has to write them.
pub fn autogenerate(built: &Schema, wanted: &Schema) -> Result<Option<Scripts>, Error> {
    if built.first_difference(wanted).is_none() {
        return Ok(None);
    }
    Ok(Some(Scripts { up: tried(built, wanted)?, down: tried(wanted, built)? }))
}

/// A script that leads from one to the other, for it has done so.
fn tried(from: &Schema, to: &Schema) -> Result<Script, Error> {
    let script = Script::write(from, to, false);
    if try_out(&script, from, to).is_ok() {
        return Ok(script);
    }
    // ALTER TABLE is particular about things that are hard to foresee.
    let script = Script::write(from, to, true);
    try_out(&script, from, to).map(|()| script)
}

fn try_out(script: &Script, from: &Schema, to: &Schema) -> Result<(), Error> {
    let db = from.build()?;
    let transaction = format!("BEGIN;\n{}\nCOMMIT;", script.sql);
    db.execute_batch(&transaction).map_err(|error| match Error::sql("", "", error) {
        Error::Sql { message, .. } => Error::Unreachable(message),
        error => error,
    })?;
    match Schema::read(&db)?.first_difference(to) {
        Some(difference) => Err(Error::Unreachable(difference)),
        None => Ok(()),
    }
}
