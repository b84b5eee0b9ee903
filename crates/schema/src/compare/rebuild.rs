//! Writes the rebuilding of a table: a new one is created, filled and renamed.

use super::definition::with_table_name;
use super::names::{literal, quoted};
use super::plan::{becomes_not_null, has_implicit_value, missing_columns};
use super::schema::{Column, Schema, Table, free_name};
use super::script::Script;

/// Writes the steps that turn `from`, a table of `source`, into `to`, a table of `target`.
pub(crate) fn write(script: &mut Script, from: &Table, to: &Table, source: &Schema, target: &Schema) {
    let (table, new) = (quoted(&to.name), free_name(&format!("new_{}", to.name), source, target));
    script.comment(&format!("{}: rebuilt, since ALTER TABLE cannot make this change.", to.name));
    script.hint_at_renames(from, &missing_columns(from, to), &missing_columns(to, from), |old, new| {
        format!("add {} to the columns after INSERT INTO, and {} after SELECT", quoted(&new.name), quoted(&old.name))
    });
    if to.constraints.iter().any(|constraint| !from.constraints.contains(constraint)) {
        script.comment("Rows that violate a new constraint make this fail; then nothing of the migration is kept.");
    }
    for new in to.columns.iter().filter(|column| !column.is_generated) {
        if let Some(old) = from.column(&new.name) {
            script.guard_conversion(old, from, new, to);
        }
    }
    script.statement(&with_table_name(&to.sql, &new));
    copy_rows(script, from, to, &new);
    script.guard_copy(from, to, &new);
    script.statement(&format!("DROP TABLE {table}"));
    script.statement(&format!("ALTER TABLE {} RENAME TO {table}", quoted(&new)));
}

fn copy_rows(script: &mut Script, from: &Table, to: &Table, new: &str) {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for column in to.columns.iter().filter(|column| !column.is_generated) {
        match from.column(&column.name) {
            Some(old) => values.push(value(script, old, column, to)),
            None if has_implicit_value(column) => continue,
            None => {
                let name = format!("{}.{}", to.name, column.name);
                script.comment(&format!(
                    "NEEDED: {name} is NOT NULL and has no default. Replace NULL in the SELECT by the value for existing \
                     rows, or give the column a default in schema.sql; as it is, this fails unless the table is empty."
                ));
                script.needs.push(format!("what the rows get in {name}"));
                values.push("NULL".to_owned());
            }
        }
        names.push(quoted(&column.name));
    }
    if !to.columns.iter().any(|column| from.column(&column.name).is_some()) {
        script.comment(
            "NEEDED: the tables have no column in common. Write how the rows are copied, or delete them first; as it is, \
             this fails unless the table is empty.",
        );
        script.needs.push(format!("what becomes of the rows of {}, of which no column is left", to.name));
        return;
    }
    let (new_name, old_name) = (quoted(new), quoted(&from.name));
    if from.has_autoincrement() && to.has_autoincrement() {
        script.comment("Ids of deleted rows are not reused.");
        script.statement(&format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {}, seq FROM sqlite_sequence WHERE name = {}",
            literal(new),
            literal(&from.name)
        ));
    }
    let (names, values) = (names.join(", "), values.join(", "));
    // OR ABORT overrides the ON CONFLICT of constraints, which may skip or replace rows (SQLite, "ON CONFLICT").
    script.statement(&format!("INSERT OR ABORT INTO {new_name} ({names})\nSELECT {values}\nFROM {old_name}"));
}

/// The value of a column in the new table, from its value in the old one.
fn value(script: &mut Script, old: &Column, new: &Column, table: &Table) -> String {
    let name = quoted(&old.name);
    if !becomes_not_null(old, new) {
        return name;
    }
    let column = format!("{}.{}", table.name, new.name);
    if let Some(default) = &new.default {
        script.comment(&format!("{column} becomes NOT NULL: rows with NULL get the default."));
        return format!("ifnull({name}, {default})");
    }
    script.comment(&format!(
        "{column} becomes NOT NULL: rows with NULL make this fail. ifnull({name}, ...) in the SELECT gives them a value."
    ));
    name
}
