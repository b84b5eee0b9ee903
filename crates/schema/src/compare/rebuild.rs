//! A table's successor: made, filled with the rows, and put in the table's place.

use super::definition::with_table_name;
use super::names::{quoted, text};
use super::schema::{Column, Schema, Table};
use super::script::Script;
use super::table_change::{fills_itself, gone};

/// Writes the steps that turn `from` into `to`, which is a table of `target`.
pub(crate) fn write(script: &mut Script, from: &Table, to: &Table, source: &Schema, target: &Schema) {
    let (table, new) = (quoted(&to.name), free_name(&to.name, source, target));
    script
        .comment(&format!("{}: a new table takes the rows over, since ALTER TABLE cannot make this change.", to.name));
    script.hint_at_renames(&gone(from, to), &gone(to, from), |old, new| {
        format!("add {} to the columns after INSERT INTO, and {} after SELECT", quoted(&new.name), quoted(&old.name))
    });
    if to.constraints.iter().any(|constraint| !from.constraints.contains(constraint)) {
        script.comment("Rows that break a constraint which is new stop this; then nothing of it is kept.");
    }
    script.statement(&with_table_name(&to.sql, &new));
    copy(script, from, to, &new);
    script.statement(&format!("DROP TABLE {table}"));
    script.statement(&format!("ALTER TABLE {} RENAME TO {table}", quoted(&new)));
}

/// Writes the INSERT; values that rows need and nothing says are asked for.
fn copy(script: &mut Script, from: &Table, to: &Table, new: &str) {
    let mut targets = Vec::new();
    let mut values = Vec::new();
    for column in to.columns.iter().filter(|column| !column.is_generated) {
        match from.column(&column.name) {
            Some(old) => values.push(value(script, old, column, to)),
            None if fills_itself(column) => continue,
            None => {
                script.need(&to.name, column);
                values.push("NULL".to_owned());
            }
        }
        targets.push(quoted(&column.name));
    }
    let is_common = |column: &&Column| from.column(&column.name).is_some();
    if !to.columns.iter().any(|column| is_common(&column)) {
        script.comment("No column is in both: there is nothing to copy.");
        return;
    }
    let old = quoted(&from.name);
    if from.has_autoincrement() && to.has_autoincrement() {
        script.comment("Ids that were given out once are not given out again.");
        let (new_name, old_name) = (text(new), text(&from.name));
        script.statement(&format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {new_name}, seq FROM sqlite_sequence WHERE name = {old_name}"
        ));
    }
    script.statement(&format!(
        "INSERT INTO {} ({})\nSELECT {}\nFROM {old}",
        quoted(new),
        targets.join(", "),
        values.join(", ")
    ));
}

/// What a row's new column gets from its old one.
fn value(script: &mut Script, old: &Column, new: &Column, table: &Table) -> String {
    let name = quoted(&old.name);
    let may_be_null = !old.not_null && !old.is_rowid && new.not_null && !new.is_rowid;
    match &new.default {
        Some(default) if may_be_null => {
            script.comment(&format!("{}.{} becomes NOT NULL: rows with NULL get the default.", table.name, new.name));
            format!("ifnull({name}, {default})")
        }
        None if may_be_null => {
            script.comment(&format!(
                "{}.{} becomes NOT NULL: rows with NULL stop this. ifnull({name}, ...) in the SELECT gives them a value.",
                table.name, new.name
            ));
            name
        }
        _ => name,
    }
}

/// A name for the successor that nothing has.
fn free_name(table: &str, source: &Schema, target: &Schema) -> String {
    let candidates = (1..).map(|n| if n == 1 { format!("new_{table}") } else { format!("new_{table}_{n}") });
    let is_free = |name: &String| [source, target].iter().all(|schema| !schema.has_name(name));
    candidates.take(1000).find(is_free).unwrap_or_else(|| format!("new_{table}"))
}
