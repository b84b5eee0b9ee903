//! The steps from one schema to another, in an order that SQLite accepts.
//!
//! The order follows section 7 of SQLite's documentation of ALTER TABLE. A rebuilt table is created under a new name,
//! filled, and renamed after its predecessor is dropped: references of other tables, which are names, then mean the new
//! one. (Renaming the old table first would redirect them.) RENAME checks every view and trigger and fails if one refers
//! to a missing table; those are dropped first and created again at the end.
//!
//! ALTER TABLE is easier to read and does not copy rows, but is limited. What it refuses only for tables with rows must
//! be known here, since scripts are tested on empty tables.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::definition::has_computed_default;
use super::names::{has_keyword, mentions};
use super::schema::{Column, Object, ObjectKind, Schema, Table};

/// The steps from one schema to another, in order.
pub(crate) struct Plan<'a> {
    /// Indexes, views and triggers to drop first.
    pub(crate) dropped: Vec<&'a Object>,
    pub(crate) new_tables: Vec<&'a Table>,
    /// Tables to change: as they are, as they should be, and how.
    pub(crate) changed_tables: Vec<(&'a Table, &'a Table, Change<'a>)>,
    pub(crate) dropped_tables: Vec<&'a Table>,
    /// Indexes, views and triggers to create at the end.
    pub(crate) created: Vec<&'a Object>,
}

/// How a table changes.
pub(crate) enum Change<'a> {
    /// By ALTER TABLE, one statement per column.
    Alter { dropped: Vec<&'a Column>, added: Vec<&'a Column> },
    /// By copying its rows to a new table.
    Rebuild,
}

impl<'a> Plan<'a> {
    /// Plans the steps from `from` to `to`; with `rebuild`, no table is altered in place.
    pub(crate) fn new(from: &'a Schema, to: &'a Schema, rebuild: bool) -> Self {
        let (kept, gone): (Vec<_>, Vec<_>) = from.objects.iter().partition(|object| has(to, object));
        let changed = from.tables.iter().filter_map(|table| {
            let wanted = to.table(&table.name)?;
            let change = change(table, wanted, &kept)?;
            Some((table, wanted, if rebuild { Change::Rebuild } else { change }))
        });
        let changed_tables: Vec<_> = changed.collect();
        let dropped_tables: Vec<_> = from.tables.iter().filter(|table| to.table(&table.name).is_none()).collect();
        let rebuilt = changed_tables.iter().filter(|(.., change)| matches!(change, Change::Rebuild));
        let replaced = rebuilt.map(|(table, ..)| *table).chain(dropped_tables.iter().copied());
        let replaced: HashSet<String> = replaced.map(|table| table.name.to_ascii_lowercase()).collect();

        let goes_with_table =
            |object: &Object| object.kind == ObjectKind::Index && replaced.contains(&object.table.to_ascii_lowercase());
        let mut dropped = in_the_way(kept, gone, replaced.clone());
        dropped.retain(|object| !goes_with_table(object));
        let stays = |object: &Object| {
            has(from, object) && !goes_with_table(object) && !dropped.iter().any(|dropped| is_same(dropped, object))
        };
        let created = to.objects.iter().filter(|object| !stays(object)).collect();
        let new_tables = to.tables.iter().filter(|table| from.table(&table.name).is_none()).collect();
        Self { dropped, new_tables, changed_tables, dropped_tables, created }
    }
}

fn is_same(one: &Object, other: &Object) -> bool {
    one.kind == other.kind && one.normal == other.normal
}

fn has(schema: &Schema, object: &Object) -> bool {
    schema.objects.iter().any(|other| is_same(other, object))
}

/// `gone`, and the views and triggers of `kept` that refer to a missing table or, in turn, to a dropped view. Triggers
/// come first, then views, each before those it may be defined on.
fn in_the_way<'a>(kept: Vec<&'a Object>, gone: Vec<&'a Object>, mut missing: HashSet<String>) -> Vec<&'a Object> {
    let mut dropped = gone;
    let mut kept: Vec<_> = kept.into_iter().filter(|object| object.kind != ObjectKind::Index).collect();
    loop {
        let views = dropped.iter().filter(|object| object.kind == ObjectKind::View);
        missing.extend(views.map(|view| view.name.to_ascii_lowercase()));
        let found;
        (found, kept) = kept.into_iter().partition(|object| mentions(&object.sql, &missing));
        if found.is_empty() {
            break;
        }
        dropped.extend(found);
    }
    dropped.sort_by_key(|object| Reverse(object.kind));
    dropped
}

/// How `from` becomes `to`; `None` if they are equal. `remaining` are the indexes, views and triggers that exist
/// meanwhile.
fn change<'a>(from: &'a Table, to: &'a Table, remaining: &[&Object]) -> Option<Change<'a>> {
    if from.normal() == to.normal() {
        return None;
    }
    let (dropped, added) = (missing_columns(from, to), missing_columns(to, from));
    let kept = from.columns.iter().filter(|column| to.column(&column.name).is_some());
    let altered = kept.chain(added.iter().copied()).map(|column| &column.normal);
    let can_alter = altered.eq(to.columns.iter().map(|column| &column.normal))
        && from.constraints == to.constraints
        && from.options == to.options
        && dropped.len() < from.columns.len()
        && dropped.iter().all(|column| can_drop(column, from, remaining))
        && added.iter().all(|column| can_add(column));
    Some(if can_alter { Change::Alter { dropped, added } } else { Change::Rebuild })
}

/// The columns of `table` that `other` does not have.
pub(crate) fn missing_columns<'a>(table: &'a Table, other: &Table) -> Vec<&'a Column> {
    table.columns.iter().filter(|column| other.column(&column.name).is_none()).collect()
}

/// Whether existing rows get a value for this new column.
pub(crate) fn has_implicit_value(column: &Column) -> bool {
    !column.not_null || column.default.is_some() || column.is_generated || column.is_rowid
}

/// Whether rows may have NULL in the column `old`, and not in `new`.
pub(crate) fn becomes_not_null(old: &Column, new: &Column) -> bool {
    !old.not_null && !old.is_rowid && new.not_null && !new.is_rowid
}

/// Whether ADD COLUMN accepts it for a table with rows (SQLite, "ALTER TABLE", section 4).
fn can_add(column: &Column) -> bool {
    let refers_with_default = column.default.is_some() && has_keyword(&column.text, &["REFERENCES"]);
    let is_computed = has_computed_default(&column.text) || column.is_generated && column.not_null;
    let is_stored = has_keyword(&column.text, &["PRIMARY", "UNIQUE", "STORED"]);
    has_implicit_value(column) && !refers_with_default && !is_computed && !is_stored
}

/// Whether DROP COLUMN accepts it: no constraint, index, view or trigger may use the column. The other columns and
/// constraints do not, or they would have to change as well. A name in a view may mean another column; rebuilding is then
/// unnecessary but correct.
fn can_drop(column: &Column, table: &Table, remaining: &[&Object]) -> bool {
    let name = HashSet::from([column.name.to_ascii_lowercase()]);
    let is_mentioned = remaining.iter().any(|object| {
        let may_refer = object.kind != ObjectKind::Index || object.table.eq_ignore_ascii_case(&table.name);
        may_refer && mentions(&object.sql, &name)
    });
    !is_mentioned && !has_keyword(&column.text, &["PRIMARY", "UNIQUE", "REFERENCES", "CHECK", "AS"])
}
