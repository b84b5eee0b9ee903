//! Compares schemas with each other, and with another program's database.

use rusqlite::Connection;

use super::schema::{Object, Schema, Table};
use crate::error::Error;

impl Schema {
    /// Returns the first definition that only one of the two has; `None` if they are equal.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<String> {
        let (ours, theirs) = (self.definitions(), other.definitions());
        let only_in = |these: &[String], those: &[String]| these.iter().find(|line| !those.contains(line)).cloned();
        only_in(&ours, &theirs).or_else(|| only_in(&theirs, &ours))
    }

    /// All definitions, normalized and sorted.
    fn definitions(&self) -> Vec<String> {
        let tables = self.tables.iter().map(Table::normal);
        let objects = self.objects.iter().map(|object| object.normal.clone());
        let mut definitions: Vec<_> = tables.chain(objects).collect();
        definitions.sort();
        definitions
    }

    /// Returns the first thing in which `db` falls short of this schema, as a clause; `None` if statements written for this
    /// schema run there. Other tables do not matter, nor do indexes that are not unique.
    ///
    /// # Errors
    /// A table of the same name cannot be compared.
    pub fn first_lack(&self, db: &Connection) -> Result<Option<String>, Error> {
        let found = Self::read(db, |table| self.table(table).is_some())?;
        for table in &self.tables {
            let name = &table.name;
            let Some(same) = found.table(name) else {
                return Ok(Some(format!("there is no table {name}")));
            };
            if let Some(column) = table.columns.iter().find(|column| same.column(&column.name).is_none()) {
                return Ok(Some(format!("its table {name} has no column {}", column.name)));
            }
            if same.normal() != table.normal() {
                return Ok(Some(format!("its table {name} is defined otherwise")));
            }
        }
        let is_missing = |index: &Object| found.objects.iter().all(|object| object.normal != index.normal);
        let missing = self.objects.iter().find(|object| object.is_unique_index() && is_missing(object));
        Ok(missing.map(|index| format!("there is no unique index {}", index.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "CREATE TABLE a (id INTEGER NOT NULL, b TEXT NOT NULL, PRIMARY KEY (id));
        CREATE UNIQUE INDEX a_b ON a (b); CREATE INDEX a_id ON a (id);";

    fn lack(sql: &str) -> Option<String> {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(sql).unwrap();
        Schema::from_sql([("model", MODEL)]).unwrap().first_lack(&db).unwrap()
    }

    #[test]
    fn spelling_and_additional_objects_do_not_matter() {
        let written = MODEL.replace("b TEXT", "\n\t\"b\" text ").replace("CREATE UNIQUE", "create unique");
        let beside = "CREATE TABLE other (x); CREATE INDEX a_both ON a (b, id); CREATE VIEW v AS SELECT b FROM a;
            CREATE VIRTUAL TABLE words USING fts5(word);";
        for sql in [MODEL, &written, &MODEL.replace("CREATE INDEX a_id ON a (id);", ""), &format!("{MODEL}{beside}")] {
            assert_eq!(lack(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_first_missing_part_is_reported() {
        for (change, expected) in [
            ("DROP TABLE a", "there is no table a"),
            ("ALTER TABLE a RENAME b TO c", "its table a has no column b"),
            ("ALTER TABLE a ADD COLUMN c TEXT", "its table a is defined otherwise"),
            ("DROP TABLE a; CREATE TABLE a (id INTEGER, b TEXT)", "its table a is defined otherwise"),
            ("DROP INDEX a_b", "there is no unique index a_b"),
            ("DROP INDEX a_b; CREATE UNIQUE INDEX a_b ON a (b) WHERE id > 1", "there is no unique index a_b"),
        ] {
            assert_eq!(lack(&format!("{MODEL}{change}")).as_deref(), Some(expected), "{change}");
        }
    }
}
