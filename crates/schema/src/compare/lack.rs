//! Whether a database has all of a schema, whatever else it may have.

use rusqlite::Connection;

use super::schema::{Kind, Object, Schema};
use crate::error::Error;
use crate::tokens::tokens;

impl Schema {
    /// The first thing that statements written for this schema would miss in `db`, as a clause; `None` if they would run
    /// there. Other tables do not matter, nor do indexes that only make things faster.
    ///
    /// # Errors
    /// A table with the name of one of these is not to be compared.
    pub fn first_lack(&self, db: &Connection) -> Result<Option<String>, Error> {
        let found = Self::read_some(db, |table| self.table(table).is_some())?;
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
        let is_there = |index: &Object| found.objects.iter().any(|object| object.normal == index.normal);
        let lost = self.objects.iter().find(|object| is_unique_index(object) && !is_there(object));
        Ok(lost.map(|index| format!("there is no unique index {}", index.name)))
    }
}

/// Whether it decides which rows there may be.
fn is_unique_index(object: &Object) -> bool {
    object.kind == Kind::Index && tokens(&object.sql).get(1).is_some_and(|word| word.is("UNIQUE"))
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
    fn what_is_there_beside_it_and_how_it_is_written_does_not_matter() {
        let written = MODEL.replace("b TEXT", "\n\t\"b\" text ").replace("CREATE UNIQUE", "create unique");
        let beside = "CREATE TABLE other (x); CREATE INDEX a_both ON a (b, id); CREATE VIEW v AS SELECT b FROM a;
            CREATE VIRTUAL TABLE words USING fts5(word);";
        for sql in [MODEL, &written, &MODEL.replace("CREATE INDEX a_id ON a (id);", ""), &format!("{MODEL}{beside}")] {
            assert_eq!(lack(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_statements_would_miss_is_named() {
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
