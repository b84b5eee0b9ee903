//! Writes a plan as SQL.

use super::definition::with_table_name;
use super::names::quoted;
use super::plan::{Change, Plan, missing_columns};
use super::rebuild;
use super::schema::{Column, Object, ObjectKind, Schema, Table, free_name};
use crate::lexer::tokens;

/// The longest line of a comment, in bytes.
const COMMENT_WIDTH_MAX: usize = 118;

/// The text of an `up.sql` or a `down.sql`.
#[derive(Default)]
pub struct Script {
    /// The SQL.
    pub sql: String,
    /// What must be decided by hand, as clauses: `what the rows get in users.name`. Until then the script fails on rows.
    pub needs: Vec<String>,
    /// What is dropped with its values: `users.name`, `the table teams`.
    pub drops: Vec<String>,
    /// The name of the table of a guard.
    pub(crate) guard_name: String,
}

impl Script {
    /// Writes the script that leads from one schema to another; with `rebuild`, no table is altered in place.
    pub(crate) fn write(from: &Schema, to: &Schema, rebuild: bool) -> Self {
        let plan = Plan::new(from, to, rebuild);
        let mut script = Self { guard_name: free_name("migration_guard", from, to), ..Self::default() };
        script.drop_objects(&plan);
        for table in &plan.new_tables {
            script.section();
            script.hint_at_table_rename(&plan.dropped_tables, table);
            script.statement(&with_table_name(&table.sql, &table.name));
        }
        for (old, new, change) in &plan.changed_tables {
            script.section();
            let gone = missing_columns(old, new).into_iter().filter(|column| !column.is_generated);
            script.drops.extend(gone.map(|column| format!("{}.{}", old.name, column.name)));
            match change {
                Change::Alter { dropped, added } => script.alter(new, dropped, added),
                Change::Rebuild => rebuild::write(&mut script, old, new, from, to),
            }
        }
        script.section();
        for table in &plan.dropped_tables {
            script.drops.push(format!("the table {}", table.name));
            script.statement(&format!("DROP TABLE {}", quoted(&table.name)));
        }
        for kind in [ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger] {
            script.section();
            for object in plan.created.iter().filter(|object| object.kind == kind) {
                script.create_object(object, from);
            }
        }
        script.sql.truncate(script.sql.trim_end().len());
        script.sql.push('\n');
        script
    }

    fn drop_objects(&mut self, plan: &Plan<'_>) {
        let is_recreated = |object: &&Object| plan.created.iter().any(|created| created.normal == object.normal);
        if plan.dropped.iter().any(is_recreated) {
            self.comment(
                "SQLite renames no table while a view or a trigger refers to a missing one: some are recreated.",
            );
        }
        for object in &plan.dropped {
            self.statement(&format!("DROP {} {}", object.kind.keyword(), quoted(&object.name)));
        }
    }

    fn alter(&mut self, table: &Table, dropped: &[&Column], added: &[&Column]) {
        let name = quoted(&table.name);
        self.hint_at_renames(table, dropped, added, |old, new| {
            let (old, new) = (quoted(&old.name), quoted(&new.name));
            format!("write ALTER TABLE {name} RENAME COLUMN {old} TO {new} instead of dropping and adding")
        });
        for column in dropped {
            self.statement(&format!("ALTER TABLE {name} DROP COLUMN {}", quoted(&column.name)));
        }
        for column in added {
            self.statement(&format!("ALTER TABLE {name} ADD COLUMN {}", column.text));
        }
    }

    fn create_object(&mut self, object: &Object, from: &Schema) {
        let is_new = !from.objects.iter().any(|other| other.normal == object.normal);
        if object.is_unique_index() && is_new && from.table(&object.table).is_some() {
            self.comment("Duplicate rows make this fail; then nothing of the migration is kept.");
        }
        self.statement(&object.sql);
    }

    /// Starts a new paragraph, unless the script is empty.
    fn section(&mut self) {
        if !self.sql.is_empty() && !self.sql.ends_with("\n\n") {
            self.sql.push('\n');
        }
    }

    /// Appends a statement, given without its semicolon.
    pub(crate) fn statement(&mut self, sql: &str) {
        // A comment at the end would hide the semicolon.
        let end = tokens(sql).last().map_or(0, |token| token.end());
        self.sql += &format!("{};\n", &sql[..end]);
    }

    /// Appends a comment, wrapped.
    pub(crate) fn comment(&mut self, words: &str) {
        let mut line = "--".to_owned();
        for word in words.split_whitespace() {
            if line.len() > 2 && line.len() + word.len() >= COMMENT_WIDTH_MAX {
                self.sql += &format!("{line}\n");
                line.truncate(2);
            }
            line += &format!(" {word}");
        }
        self.sql += &format!("{line}\n");
    }

    /// Says how to write a rename, for every pair of columns that may be one, and guards the values that are lost if it is.
    pub(crate) fn hint_at_renames(
        &mut self,
        table: &Table,
        gone: &[&Column],
        new: &[&Column],
        how: impl Fn(&Column, &Column) -> String,
    ) {
        for old in gone.iter().filter(|column| !column.is_generated) {
            let is_similar = |new: &&&Column| new.type_name == old.type_name && !new.is_generated;
            let similar: Vec<_> = new.iter().filter(is_similar).collect();
            for new in &similar {
                self.comment(&format!("If {} is the new name of {}, {}.", new.name, old.name, how(old, new)));
                self.needs.push(format!("whether {0}.{1} is the new name of {0}.{2}", table.name, new.name, old.name));
            }
            if !similar.is_empty() {
                self.comment(&format!(
                    "Otherwise the values of {} are lost: remove the next three statements, which fail if there are any.",
                    old.name
                ));
                let (column, name) = (quoted(&old.name), quoted(&table.name));
                self.guard(
                    &format!("{}.{} may have been renamed: edit this migration", table.name, old.name),
                    &format!("SELECT count(*) = 0 FROM {name} WHERE {column} IS NOT NULL"),
                );
            }
        }
    }

    /// Says how to write a rename, for every dropped table with the columns of `table`, and guards its rows.
    fn hint_at_table_rename(&mut self, dropped: &[&Table], table: &Table) {
        let columns = |table: &Table| table.columns.iter().map(|column| column.normal.clone()).collect::<Vec<_>>();
        for old in dropped.iter().filter(|old| columns(old) == columns(table)) {
            self.needs.push(format!("whether {} is the new name of the table {}", table.name, old.name));
            let (name, new) = (quoted(&old.name), quoted(&table.name));
            self.comment(&format!(
                "If {new} is the new name of {name}, write ALTER TABLE {name} RENAME TO {new} instead. Otherwise the rows of \
                 {name} are lost: remove the next three statements, which fail if there are any."
            ));
            self.guard(
                &format!("{} may have been renamed: edit this migration", old.name),
                &format!("SELECT count(*) = 0 FROM {name}"),
            );
        }
    }
}
