//! The rows of a database before and after a migration.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::rows;

/// The columns and rows of all tables.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot(BTreeMap<String, Table>);

#[derive(Debug, PartialEq)]
struct Table {
    columns: Vec<Column>,
    /// Ordered by the id.
    rows: Vec<Vec<Value>>,
}

#[derive(Debug, PartialEq)]
struct Column {
    name: String,
    not_null: bool,
    is_generated: bool,
}

impl Snapshot {
    /// Reads a database.
    pub(crate) fn of(db: &Connection) -> Self {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        Self(rows(db, tables).into_iter().map(|row| Table::read(db, &text(&row[0]))).collect())
    }

    /// Asserts that `later` has every row of the tables in both, and in them the values of the columns in both.
    pub(crate) fn assert_kept(&self, later: &Self, script: &str) {
        for (name, old) in &self.0 {
            let Some(new) = later.0.get(name) else { continue };
            assert_eq!(old.rows.len(), new.rows.len(), "rows of {name}\n{script}");
            for (column, old_at) in old.columns.iter().zip(0..).filter(|(column, _)| !column.is_generated) {
                let Some(new_at) = new.columns.iter().position(|new| new.name == column.name) else { continue };
                let may_be_default = new.columns[new_at].not_null && !column.not_null;
                for (old, new) in old.rows.iter().zip(&new.rows) {
                    let (old, new): (&Value, &Value) = (&old[old_at], &new[new_at]);
                    let is_default = may_be_default && *old == Value::Null;
                    assert!(is_default || is_kept(old, new), "{name}.{}: {old:?} is {new:?}\n{script}", column.name);
                }
            }
        }
    }
}

impl Table {
    fn read(db: &Connection, name: &str) -> (String, Self) {
        let facts = rows(db, &format!("SELECT name, \"notnull\", hidden FROM pragma_table_xinfo('{name}')"));
        let column = |fact: Vec<Value>| Column {
            name: text(&fact[0]),
            not_null: fact[1] == Value::Integer(1),
            is_generated: fact[2] != Value::Integer(0),
        };
        let rows = rows(db, &format!("SELECT * FROM \"{name}\" ORDER BY id"));
        (name.to_owned(), Self { columns: facts.into_iter().map(column).collect(), rows })
    }
}

/// Whether `new` is `old`, or what a column of another type makes of it without a loss.
fn is_kept(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Text(text), Value::Integer(number)) | (Value::Integer(number), Value::Text(text)) => {
            number.to_string() == *text
        }
        (Value::Text(text), Value::Real(number)) => {
            format!("{number:?}") == *text || format!("{number:.0}") == *text && number.fract() == 0.0
        }
        (Value::Real(number), Value::Text(text)) => text.parse() == Ok(*number),
        (Value::Integer(whole), Value::Real(number)) => *number as i64 == *whole,
        (Value::Real(number), Value::Integer(whole)) => *whole as f64 == *number,
        _ => old == new,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?} is no text"),
    }
}
