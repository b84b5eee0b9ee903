//! A plan as SQL.

use super::definition::with_table_name;
use super::names::quoted;
use super::plan::Plan;
use super::rebuild;
use super::schema::{Column, Kind, Object, Schema, Table};
use super::script::Script;
use super::table_change::Change;

impl Script {
    /// The script that leads from one schema to another; with `rebuild`, no table is altered in place.
    pub(crate) fn write(from: &Schema, to: &Schema, rebuild: bool) -> Self {
        let plan = Plan::new(from, to, rebuild);
        let mut script = Self::default();
        script.drop_objects(&plan);
        for table in &plan.new_tables {
            script.section();
            script.hint_at_table_rename(&plan, table);
            script.statement(&with_table_name(&table.sql, &table.name));
        }
        for (old, new, change) in &plan.changed_tables {
            script.section();
            match change {
                Change::Alter { dropped, added } => script.alter(new, dropped, added),
                Change::Rebuild => rebuild::write(&mut script, old, new, from, to),
            }
        }
        script.section();
        for table in &plan.dropped_tables {
            script.statement(&format!("DROP TABLE {}", quoted(&table.name)));
        }
        for kind in [Kind::Index, Kind::View, Kind::Trigger] {
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
        let is_back = |object: &Object| plan.created.iter().any(|created| created.normal == object.normal);
        if plan.dropped.iter().any(|object| is_back(object)) {
            self.comment(
                "SQLite renames no table while a view or a trigger mentions a missing one: some go and come back.",
            );
        }
        for object in &plan.dropped {
            self.statement(&format!("DROP {} {}", object.kind.keyword(), quoted(&object.name)));
        }
    }

    fn alter(&mut self, table: &Table, dropped: &[&Column], added: &[&Column]) {
        let name = quoted(&table.name);
        self.hint_at_renames(dropped, added, |old, new| {
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
        let is_unique = object.kind == Kind::Index && object.normal.starts_with("create unique");
        let is_new = !from.objects.iter().any(|other| other.normal == object.normal);
        if is_unique && is_new && from.table(&object.table).is_some() {
            self.comment("Rows that are the same in it stop this; then nothing of it is kept.");
        }
        self.statement(&object.sql);
    }
}
