//! What is to be done, in the order in which SQLite can do it.
//!
//! The order is that of SQLite's documentation of ALTER TABLE, section 7. A rebuilt table is made under a new name,
//! filled, and renamed when its predecessor is gone: then nothing refers to the name that goes away, and the references of
//! other tables, which are names, find the successor. (Renaming the old table first would take them along.) RENAME looks at every view and trigger, and fails if one
//! mentions a table that is not there at that moment; so those that do are dropped before and made again at the end.

use std::collections::HashSet;

use super::schema::{Kind, Object, Schema, Table};
use super::table_change::{Change, change};
use crate::tokens::mentions;

/// The steps from one schema to another, in order.
pub(crate) struct Plan<'a> {
    /// Indexes, views and triggers that are dropped first.
    pub(crate) dropped: Vec<&'a Object>,
    /// New tables.
    pub(crate) new_tables: Vec<&'a Table>,
    /// Tables that change: what they are, what they should be, and how.
    pub(crate) changed_tables: Vec<(&'a Table, &'a Table, Change<'a>)>,
    /// Tables that go.
    pub(crate) dropped_tables: Vec<&'a Table>,
    /// Indexes, views and triggers that are made at the end.
    pub(crate) created: Vec<&'a Object>,
}

impl<'a> Plan<'a> {
    /// The steps from `from` to `to`; with `rebuild`, no table is altered in place.
    pub(crate) fn new(from: &'a Schema, to: &'a Schema, rebuild: bool) -> Self {
        let (kept, gone): (Vec<_>, Vec<_>) = from.objects.iter().partition(|object| has(to, object));
        let changed_tables: Vec<_> = from
            .tables
            .iter()
            .filter_map(|table| {
                let successor = to.table(&table.name)?;
                let change = change(table, successor, &kept)?;
                Some((table, successor, if rebuild { Change::Rebuild } else { change }))
            })
            .collect();
        let dropped_tables: Vec<_> = from.tables.iter().filter(|table| to.table(&table.name).is_none()).collect();
        let rebuilt = changed_tables.iter().filter(|(.., change)| matches!(change, Change::Rebuild));
        let vanishing: HashSet<String> = rebuilt
            .map(|(table, ..)| lower(&table.name))
            .chain(dropped_tables.iter().map(|t| lower(&t.name)))
            .collect();

        let mut dropped = in_the_way(kept, gone, vanishing.clone());
        // These go with their tables.
        dropped.retain(|object| object.kind != Kind::Index || !vanishing.contains(&lower(&object.table)));
        let stays = |object: &&Object| {
            has(from, object)
                && !dropped.iter().any(|dropped| dropped.kind == object.kind && dropped.normal == object.normal)
                && !(object.kind == Kind::Index && vanishing.contains(&lower(&object.table)))
        };
        Self {
            new_tables: to.tables.iter().filter(|table| from.table(&table.name).is_none()).collect(),
            created: to.objects.iter().filter(|object| !stays(object)).collect(),
            dropped,
            changed_tables,
            dropped_tables,
        }
    }
}

fn has(schema: &Schema, object: &Object) -> bool {
    schema.objects.iter().any(|other| other.kind == object.kind && other.normal == object.normal)
}

/// `gone`, and those of `kept` that mention something vanishing; what they mention can be a view that vanishes with
/// them. Triggers first, then views, each before those it may be made from.
fn in_the_way<'a>(kept: Vec<&'a Object>, gone: Vec<&'a Object>, mut vanishing: HashSet<String>) -> Vec<&'a Object> {
    let mut dropped = gone;
    let mut kept: Vec<_> = kept.into_iter().filter(|object| object.kind != Kind::Index).collect();
    loop {
        vanishing.extend(dropped.iter().filter(|object| object.kind == Kind::View).map(|view| lower(&view.name)));
        let found;
        (found, kept) = kept.into_iter().partition(|object| mentions(&object.sql, &vanishing));
        if found.is_empty() {
            break;
        }
        dropped.extend(found);
    }
    dropped.sort_by_key(|object| std::cmp::Reverse(object.kind));
    dropped
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}
