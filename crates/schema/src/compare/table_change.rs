//! How a table becomes what it should be: as it is, by ALTER TABLE, or by a successor.
//!
//! ALTER TABLE is easier to read and does not copy the rows, but SQLite can do little with it. What it refuses only for
//! tables with rows must be known here: the scripts are tried on empty ones.

use std::collections::HashSet;

use super::definition::{has_computed_default, has_keyword};
use super::schema::{Column, Kind, Object, Table};
use crate::tokens::mentions;

/// What happens to a table that stays.
pub(crate) enum Change<'a> {
    /// Columns go and come, one statement each.
    Alter { dropped: Vec<&'a Column>, added: Vec<&'a Column> },
    /// A successor takes the rows over.
    Rebuild,
}

/// What is to be done to `from`; `None` for nothing. `remaining` are the indexes, views and triggers that are there
/// while it is done.
pub(crate) fn change<'a>(from: &'a Table, to: &'a Table, remaining: &[&Object]) -> Option<Change<'a>> {
    if from.normal() == to.normal() {
        return None;
    }
    let (dropped, added) = (gone(from, to), gone(to, from));
    let kept = from.columns.iter().filter(|column| to.column(&column.name).is_some());
    let is_reached =
        kept.chain(added.iter().copied()).map(|column| &column.normal).eq(to.columns.iter().map(|c| &c.normal));
    let is_possible = is_reached
        && from.constraints == to.constraints
        && from.options == to.options
        && dropped.len() < from.columns.len()
        && dropped.iter().all(|column| can_drop(column, from, remaining))
        && added.iter().all(|column| can_add(column));
    Some(if is_possible { Change::Alter { dropped, added } } else { Change::Rebuild })
}

/// The columns of `table` that `other` has not.
pub(crate) fn gone<'a>(table: &'a Table, other: &Table) -> Vec<&'a Column> {
    table.columns.iter().filter(|column| other.column(&column.name).is_none()).collect()
}

/// Whether rows that are there get a value for this new column.
pub(crate) fn fills_itself(column: &Column) -> bool {
    !column.not_null || column.default.is_some() || column.is_generated || column.is_rowid
}

/// "ALTER TABLE ADD COLUMN" in SQLite's documentation lists what it cannot add.
fn can_add(column: &Column) -> bool {
    let refers_with_default = column.default.is_some() && has_keyword(&column.text, &["REFERENCES"]);
    let is_computed = has_computed_default(&column.text) || column.is_generated && column.not_null;
    let is_stored = has_keyword(&column.text, &["PRIMARY", "UNIQUE", "STORED"]);
    fills_itself(column) && !refers_with_default && !is_computed && !is_stored
}

/// "ALTER TABLE DROP COLUMN" fails if a constraint, an index, a view or a trigger mentions the column. The rest of the
/// table does not, or it could not stay as it is. A name can mean something else in a view, and then a successor does no
/// harm.
fn can_drop(column: &Column, table: &Table, remaining: &[&Object]) -> bool {
    let name = HashSet::from([column.name.to_ascii_lowercase()]);
    let is_mentioned = remaining.iter().any(|object| {
        let may_refer = object.kind != Kind::Index || object.table.eq_ignore_ascii_case(&table.name);
        may_refer && mentions(&object.sql, &name)
    });
    !is_mentioned && !has_keyword(&column.text, &["PRIMARY", "UNIQUE", "REFERENCES", "CHECK", "AS"])
}
