//! What a database contains: its tables with their definitions and numbers of rows, whichever program has created them.

use std::collections::BTreeMap;

use rusqlite::Connection;

/// The tables of a database by name.
pub(crate) type Tables = BTreeMap<String, Table>;

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// The CREATE statements of the table and of its indexes, views and triggers, in order of creation.
    definitions: Vec<String>,
    /// `None` for a virtual table, whose module may be missing here. SQLite keeps its rows in further tables.
    row_count: Option<i64>,
}

/// Reads all tables of `db`, and its views. Tables that SQLite keeps for itself are among them.
///
/// # Errors
/// One cannot be read.
pub(crate) fn tables(db: &Connection) -> rusqlite::Result<Tables> {
    let sql = "SELECT tbl_name, coalesce(sql, ''), type = 'table' AND rootpage <> 0 FROM sqlite_schema ORDER BY rowid";
    let mut statement = db.prepare(sql)?;
    let entries = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut tables = Tables::new();
    for entry in entries {
        let (name, definition, has_rows): (String, String, bool) = entry?;
        let row_count = has_rows.then(|| row_count(db, &name)).transpose()?;
        let table = tables.entry(name).or_insert(Table { definitions: Vec::new(), row_count: None });
        table.definitions.push(definition);
        table.row_count = table.row_count.or(row_count);
    }
    Ok(tables)
}

fn row_count(db: &Connection, table: &str) -> rusqlite::Result<i64> {
    let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
    db.query_row(&sql, [], |row| row.get(0))
}

/// Returns the first table in which `found` differs from `expected`, as a clause; `None` if they are equal.
pub(crate) fn first_difference(expected: &Tables, found: &Tables) -> Option<String> {
    for (name, table) in expected {
        let Some(same) = found.get(name) else {
            return Some(format!("the table or view {name} is missing"));
        };
        if same.definitions != table.definitions {
            return Some(format!("the table {name} or an index or trigger of it has another definition"));
        }
        if same.row_count != table.row_count {
            let [expected, found] = [table, same].map(|table| table.row_count.unwrap_or_default());
            return Some(format!("the table {name} has {found} rows instead of {expected}"));
        }
    }
    let additional = found.keys().find(|name| !expected.contains_key(*name));
    additional.map(|name| format!("the table or view {name} should not be there"))
}

/// Describes the tables that SQL has created: `9 tables with 1203 rows`.
pub(crate) fn summary(db: &Connection) -> rusqlite::Result<String> {
    let tables = tables(db)?;
    let created = tables.iter().filter(|(name, _)| !name.starts_with("sqlite_"));
    let counts: Vec<i64> = created.filter_map(|(_, table)| table.row_count).collect();
    Ok(format!("{} tables with {} rows", counts.len(), counts.iter().sum::<i64>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables of every kind, most of which this app does not have.
    const SQL: &str = "
        CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT); CREATE UNIQUE INDEX emails ON users (email);
        INSERT INTO users (email) VALUES ('a'), ('b');
        CREATE TABLE \"odd \"\" name\" (x); INSERT INTO \"odd \"\" name\" VALUES (1);
        CREATE TABLE settings (key TEXT PRIMARY KEY, value) WITHOUT ROWID; INSERT INTO settings VALUES ('k', 1);
        CREATE TABLE empty (x); CREATE VIEW names AS SELECT email FROM users;
        CREATE TRIGGER t AFTER DELETE ON users BEGIN DELETE FROM empty; END;
        CREATE VIRTUAL TABLE words USING fts5(word); INSERT INTO words VALUES ('one'), ('two');";

    fn database(sql: &str) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(&format!("{SQL}{sql}")).unwrap();
        db
    }

    fn difference(change: &str) -> Option<String> {
        first_difference(&tables(&database("")).unwrap(), &tables(&database(change)).unwrap())
    }

    #[test]
    fn every_table_is_compared() {
        assert_eq!(difference(""), None);
        for (change, expected) in [
            ("DELETE FROM users WHERE id = 1", "the table users has 1 rows instead of 2"),
            ("DELETE FROM \"odd \"\" name\"", "the table odd \" name has 0 rows instead of 1"),
            ("INSERT INTO settings VALUES ('l', 2)", "the table settings has 2 rows instead of 1"),
            ("INSERT INTO empty VALUES (1)", "the table empty has 1 rows instead of 0"),
            ("DELETE FROM words WHERE rowid = 1", "the table words_content has 1 rows instead of 2"),
            ("DELETE FROM sqlite_sequence", "the table sqlite_sequence has 0 rows instead of 1"),
            ("DROP TABLE empty", "the table or view empty is missing"),
            ("DROP VIEW names", "the table or view names is missing"),
            ("DROP TABLE words", "the table or view words is missing"),
            ("CREATE TABLE more (x)", "the table or view more should not be there"),
            ("DROP INDEX emails", "the table users or an index or trigger of it has another definition"),
            ("DROP TRIGGER t", "the table users or an index or trigger of it has another definition"),
            (
                "ALTER TABLE settings ADD COLUMN x",
                "the table settings or an index or trigger of it has another definition",
            ),
            ("DROP TABLE words; CREATE VIRTUAL TABLE words USING fts5(x)", "the table words or an index"),
        ] {
            let found = difference(change).unwrap_or_default();
            assert!(found.starts_with(expected), "{change}: {found}");
        }
    }

    #[test]
    fn a_virtual_table_without_its_module_can_be_read() {
        let sql =
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE words USING gone(x)'
                   WHERE name = 'words'";
        let names: Vec<String> = tables(&database(sql)).unwrap().into_keys().collect();
        assert!(names.contains(&"words".to_owned()), "{names:?}");
    }

    #[test]
    fn the_summary_counts_what_sql_has_created() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a VALUES (1), (2); CREATE TABLE b (x)",
        )
        .unwrap();
        assert_eq!(summary(&db).unwrap(), "2 tables with 2 rows");
    }
}
