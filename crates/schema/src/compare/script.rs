//! A text of SQL in the making: statements, comments, and what somebody must still decide.

use super::names::quoted;
use super::plan::Plan;
use super::schema::{Column, Table};
use crate::tokens::tokens;

/// Where comments are wrapped.
const WIDTH_MAX: usize = 118;

/// The text of an up.sql or a down.sql.
#[derive(Default)]
pub struct Script {
    /// The SQL.
    pub sql: String,
    /// The columns for which somebody must say what the rows get, as `table.column`.
    pub needs: Vec<String>,
}

impl Script {
    /// Begins a new paragraph, unless there is nothing yet.
    pub(crate) fn section(&mut self) {
        if !self.sql.is_empty() && !self.sql.ends_with("\n\n") {
            self.sql.push('\n');
        }
    }

    /// A statement, without its semicolon.
    pub(crate) fn statement(&mut self, sql: &str) {
        // A comment at the end would hide the semicolon.
        let end = tokens(sql).last().map_or(0, |token| token.end());
        self.sql.push_str(&sql[..end]);
        self.sql.push_str(";\n");
    }

    /// A comment, wrapped.
    pub(crate) fn comment(&mut self, words: &str) {
        let mut width = 0;
        for word in words.split_whitespace() {
            let is_first = width == 0;
            if is_first || width + word.len() >= WIDTH_MAX {
                self.sql.push_str(if is_first { "--" } else { "\n--" });
                width = 2;
            }
            self.sql.push(' ');
            self.sql.push_str(word);
            width += 1 + word.len();
        }
        self.sql.push('\n');
    }

    /// Says that rows need a value for `column`, and that nothing says which.
    pub(crate) fn need(&mut self, table: &str, column: &Column) {
        let name = format!("{table}.{}", column.name);
        self.comment(&format!(
            "NEEDED: {name} is NOT NULL and has no default. Write what the rows get in place of NULL in the SELECT, or \
             give the column a default in schema.sql; as it is, only an empty table gets past this."
        ));
        self.needs.push(name);
    }

    /// Says how to write a rename for every pair of columns that may be one.
    pub(crate) fn hint_at_renames(
        &mut self,
        gone: &[&Column],
        new: &[&Column],
        how: impl Fn(&Column, &Column) -> String,
    ) {
        for old in gone {
            for new in new.iter().filter(|new| new.type_name == old.type_name && !new.is_generated) {
                let how = how(old, new);
                self.comment(&format!(
                    "If {} is the new name of {}, {how}; as it is, its values are lost.",
                    new.name, old.name
                ));
            }
        }
    }

    /// Says how to write that a dropped table has become `table`.
    pub(crate) fn hint_at_table_rename(&mut self, plan: &Plan<'_>, table: &Table) {
        let columns = |table: &Table| table.columns.iter().map(|column| column.normal.clone()).collect::<Vec<_>>();
        for old in plan.dropped_tables.iter().filter(|old| columns(old) == columns(table)) {
            let (old, new) = (quoted(&old.name), quoted(&table.name));
            self.comment(&format!(
                "If {new} is the new name of {old}, write ALTER TABLE {old} RENAME TO {new} instead; as it is, its rows are lost."
            ));
        }
    }
}
