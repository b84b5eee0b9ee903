//! A random schema: tables, and indexes, views and triggers on them.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::numbers::Numbers;
use super::table::{Column, Key, Table, quoted};
use crate::rows;

const TABLES: [&str; 5] = ["users", "Sessions", "audit", "group", "tags"];
/// The number of rows in each table.
const ROWS: usize = 3;

/// The number of rows of random values that are inserted into each table.
const WILD_ROWS: usize = 8;
/// Values that types convert, collations merge, and constraints refuse.
const WILD_VALUES: [&str; 12] =
    ["NULL", "1", "2", "'007'", "'2'", "'1.50'", "1.5", "0.1 + 0.2", "'a'", "'A'", "9007199254740993", "x'31'"];

/// An index, a view or a trigger on a table; a change selects another `variant`.
#[derive(Clone)]
struct Object {
    kind: &'static str,
    variant: usize,
}

/// A schema.
#[derive(Clone)]
pub(crate) struct RandomSchema {
    tables: Vec<(Table, Vec<Object>)>,
    /// The seed of the spelling, which must make no difference.
    style: u64,
}

impl RandomSchema {
    /// Creates a schema with one to five tables.
    pub(crate) fn new(numbers: &mut Numbers) -> Self {
        let mut names = TABLES.to_vec();
        while names.len() > 1 && !numbers.once_in(3) {
            names.remove(numbers.below(names.len()));
        }
        let tables = names.iter().map(|name| (Table::new(name, &names, numbers), Object::several(numbers))).collect();
        Self { tables, style: numbers.below(1000) as u64 }
    }

    fn names(&self) -> Vec<&'static str> {
        self.tables.iter().map(|(table, _)| table.name).collect()
    }

    /// Returns a copy with a few changes.
    pub(crate) fn changed(&self, numbers: &mut Numbers) -> Self {
        let mut copy = self.clone();
        copy.style = numbers.below(1000) as u64;
        for _ in 0..=numbers.below(4) {
            let (names, parents) = (copy.names(), self.kept_names(&copy));
            let at = numbers.below(names.len());
            match numbers.below(8) {
                0 if names.len() > 1 => drop(copy.tables.remove(at)),
                1 => {
                    let new = TABLES.into_iter().find(|name| !names.contains(name));
                    copy.tables.extend(new.map(|name| (Table::new(name, &parents, numbers), Object::several(numbers))));
                }
                2 | 3 => copy.tables[at].1 = Object::several(numbers),
                _ => copy.tables[at].0.change(&parents, numbers),
            }
        }
        copy.drop_dangling_columns(self);
        copy
    }

    /// The tables in both schemas, which have rows and can be referred to by rows.
    fn kept_names(&self, other: &Self) -> Vec<&'static str> {
        let mut names = other.names();
        names.retain(|name| self.names().contains(name));
        names
    }

    /// Drops the columns that refer, here or in `original`, to a table missing here: after `up` or `down` their rows would
    /// refer to missing rows.
    fn drop_dangling_columns(&mut self, original: &Self) {
        let names = self.names();
        let is_gone = |column: &Column| column.parent.is_some_and(|parent| !names.contains(&parent));
        for (table, _) in &mut self.tables {
            let twin = original.tables.iter().find(|(twin, _)| twin.name == table.name);
            let dangling =
                |name| twin.is_some_and(|(twin, _)| twin.columns.iter().any(|c| c.name == name && is_gone(c)));
            table.columns.retain(|column| !is_gone(column) && !dangling(column.name));
        }
    }

    /// Returns all CREATE statements.
    pub(crate) fn sql(&self) -> String {
        let mut numbers = Numbers::new(self.style);
        let mut sql: String = self.tables.iter().map(|(table, _)| table.sql(&mut numbers)).collect();
        for (table, objects) in &self.tables {
            for object in objects {
                sql.push_str(&object.sql(table, &mut numbers));
            }
        }
        sql
    }

    /// Inserts rows into every table. The sequence of AUTOINCREMENT is ahead of the highest id.
    pub(crate) fn fill(&self, db: &Connection) {
        for (table, _) in &self.tables {
            let name = table.name;
            let columns: Vec<_> = table.columns.iter().filter(|column| column.generated.is_none()).collect();
            let names: String = columns.iter().map(|column| format!(", \"{}\"", column.name)).collect();
            for id in 1..=ROWS {
                let values = format!(", {id}").repeat(columns.len());
                db.execute_batch(&format!("INSERT INTO \"{name}\" (id{names}) VALUES ({id}{values})")).expect("a row");
            }
            if table.key == Key::Autoincrement {
                db.execute_batch(&format!("UPDATE sqlite_sequence SET seq = 100 WHERE name = '{name}'"))
                    .expect("it is there");
            }
        }
        // Triggers have written rows as well.
        assert_eq!(rows(db, "SELECT * FROM pragma_foreign_key_check"), Vec::<Vec<Value>>::new());
    }

    /// Inserts rows of random values into every table, as far as its constraints accept them.
    pub(crate) fn fill_wildly(&self, db: &Connection, numbers: &mut Numbers) {
        for (table, _) in &self.tables {
            let columns = table.columns.iter().filter(|column| column.generated.is_none());
            let names: Vec<_> = columns.map(|column| format!(", \"{}\"", column.name)).collect();
            for id in 1..=WILD_ROWS {
                let values: String = names.iter().map(|_| format!(", {}", numbers.one_of(&WILD_VALUES))).collect();
                let (table, names) = (table.name, names.concat());
                // A STRICT table refuses values in spite of OR IGNORE.
                let _ =
                    db.execute_batch(&format!("INSERT OR IGNORE INTO \"{table}\" (id{names}) VALUES ({id}{values})"));
            }
        }
    }

    /// Returns the rows of the tables in both schemas, limited to the columns of the same type in both.
    pub(crate) fn kept_rows(&self, other: &Self, db: &Connection) -> Vec<(&'static str, Vec<Vec<Value>>)> {
        let mut kept = Vec::new();
        for (table, _) in &self.tables {
            let Some((twin, _)) = other.tables.iter().find(|(twin, _)| twin.name == table.name) else { continue };
            let is_kept = |column: &&Column| {
                let is_twin = |twin_column: &&Column| {
                    twin_column.name == column.name
                        && twin_column.type_in(twin.strict) == column.type_in(table.strict)
                        && twin_column.generated == column.generated
                };
                twin.columns.iter().any(|twin_column| is_twin(&twin_column))
            };
            let mut names: Vec<_> = table.columns.iter().filter(is_kept).map(|column| column.name).collect();
            names.sort_unstable();
            let names: String = names.iter().map(|name| format!(", \"{name}\"")).collect();
            kept.push((table.name, rows(db, &format!("SELECT id{names} FROM \"{}\" ORDER BY id", table.name))));
        }
        kept.sort_by_key(|(name, _)| *name);
        kept
    }

    /// Returns the sequences of the tables with AUTOINCREMENT in both schemas.
    pub(crate) fn sequences(&self, other: &Self, db: &Connection) -> String {
        let has = |schema: &Self, name: &str| {
            schema.tables.iter().any(|(table, _)| table.name == name && table.key == Key::Autoincrement)
        };
        let mut names = self.names();
        names.retain(|name| has(self, name) && has(other, name));
        names.sort_unstable();
        let sequence = |name| rows(db, &format!("SELECT name, seq FROM sqlite_sequence WHERE name = '{name}'"));
        names.into_iter().map(|name| format!("{:?}", sequence(name))).collect()
    }
}

impl Object {
    fn several(numbers: &mut Numbers) -> Vec<Self> {
        let kinds = ["index", "unique", "view", "trigger"];
        let mut object = |kind| numbers.once_in(3).then(|| Self { kind, variant: numbers.below(2) });
        kinds.into_iter().filter_map(&mut object).collect()
    }

    fn sql(&self, table: &Table, numbers: &mut Numbers) -> String {
        let (on, name, variant) = (quoted(table.name, numbers), table.name, self.variant);
        let column = table.columns.iter().find(|column| column.default.is_none() && column.generated.is_none());
        let column = column.map_or("id".to_owned(), |column| quoted(column.name, numbers));
        match self.kind {
            "index" => {
                let order = ["", " DESC"][variant];
                format!("CREATE INDEX [ix_{name}] ON {on} ({column}{order}, id);\n")
            }
            "unique" => {
                let filter = ["", " WHERE id > 0"][variant];
                format!("CREATE UNIQUE INDEX \"ux_{name}\" ON {on} ({column}, id){filter};\n")
            }
            "view" => format!(
                "CREATE VIEW \"v_{name}\" AS SELECT id + {variant} AS n FROM {on};\n\
                 CREATE VIEW \"w_{name}\" AS SELECT max(n) FROM [v_{name}];\n"
            ),
            _ => format!(
                "CREATE TRIGGER \"tr_{name}\" AFTER DELETE ON {on} WHEN old.id > {variant} BEGIN\n  \
                 UPDATE {on} SET id = old.id WHERE id = -1; -- never;\nEND;\n"
            ),
        }
    }
}
