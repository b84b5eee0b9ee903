//! Statements that make a migration fail where it would lose or invent data.
//!
//! SQL has no statement that fails on a condition. A guard is a table whose CHECK does: its name is the error message.

use super::names::{in_quotes, quoted};
use super::plan::becomes_not_null;
use super::schema::{Column, Table};
use super::script::Script;

/// Whether `was`, of any type, is what `value` has become in a column of another type, so that nothing is lost: another
/// number, other digits, or leading zeros. The text of an integer may become a REAL.
const KEEPS_VALUE: &str = "\
CASE typeof(was)
         WHEN 'text' THEN was IN (CAST(value AS TEXT), CAST(CAST(value AS INTEGER) AS TEXT))
         WHEN 'integer' THEN CAST(value AS INTEGER) = was
         WHEN 'real' THEN CAST(value AS REAL) = was
         ELSE value IS was
     END";

/// How SQLite converts the values of a column (<https://sqlite.org/datatype3.html>, section 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Affinity {
    /// Not at all.
    Blob,
    Text,
    /// Also INTEGER, which differs only in CAST.
    Numeric,
    Real,
}

impl Affinity {
    fn of(column: &Column, table: &Table) -> Self {
        let has = |parts: &[&str]| parts.iter().any(|part| column.type_name.contains(part));
        match column.type_name.as_str() {
            "" => Self::Blob,
            "ANY" if table.is_strict() => Self::Blob,
            _ if has(&["INT"]) => Self::Numeric,
            _ if has(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            _ if has(&["BLOB"]) => Self::Blob,
            _ if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            _ => Self::Numeric,
        }
    }

    /// Returns a type with this affinity, if it may change a value of the affinity `old`.
    fn type_that_changes(self, old: Self) -> Option<&'static str> {
        match (old, self) {
            _ if old == self => None,
            (_, Self::Blob) | (Self::Real, Self::Numeric) => None,
            (_, Self::Text) => Some("TEXT"),
            (_, Self::Numeric) => Some("NUMERIC"),
            (_, Self::Real) => Some("REAL"),
        }
    }
}

impl Script {
    /// Appends a guard: statements that fail with `fault` unless the query `holds` returns 1.
    pub(crate) fn guard(&mut self, fault: &str, holds: &str) {
        let columns = format!("holds INTEGER, CONSTRAINT {} CHECK (holds)", in_quotes(fault));
        self.guard_table(&columns, holds);
    }

    fn guard_table(&mut self, columns: &str, rows: &str) {
        let table = quoted(&self.guard_name);
        self.statement(&format!("CREATE TABLE {table} ({columns})"));
        self.statement(&format!("INSERT INTO {table}\n{rows}"));
        self.statement(&format!("DROP TABLE {table}"));
    }

    /// Guards the values of a column that is copied to another table: a type may convert them, and SQLite numbers the rows
    /// with NULL in an INTEGER PRIMARY KEY.
    pub(crate) fn guard_conversion(&mut self, old: &Column, from: &Table, new: &Column, to: &Table) {
        let (name, table) = (format!("{}.{}", to.name, new.name), quoted(&from.name));
        let column = quoted(&old.name);
        if new.is_rowid && !old.is_rowid && !old.not_null {
            self.comment(&format!("{name} becomes the number of the row: rows with NULL make this fail."));
            self.guard(&format!("{name} is NULL"), &format!("SELECT count(*) = 0 FROM {table} WHERE {column} IS NULL"));
        }
        let Some(type_name) = Affinity::of(new, to).type_that_changes(Affinity::of(old, from)) else { return };
        let fault = format!("a value of {name} would change with its type");
        self.comment(&format!(
            "{name} becomes {}. The next three statements fail if that changes a value, as INTEGER makes 7 of '007': remove \
             them to accept it.",
            if new.type_name.is_empty() { type_name } else { &new.type_name }
        ));
        let check = format!("\n     {KEEPS_VALUE}\n");
        self.guard_table(
            &format!("was, value {type_name}, CONSTRAINT {} CHECK ({check})", in_quotes(&fault)),
            &format!("SELECT {column}, {column} FROM {table}"),
        );
    }

    /// Guards what was copied from `from` to the table `new`, which becomes `to`.
    pub(crate) fn guard_copy(&mut self, from: &Table, to: &Table, new: &str) {
        let (old, new) = (quoted(&from.name), quoted(new));
        self.comment("Fails if a row is missing.");
        self.guard(
            &format!("{} would lose or gain rows", to.name),
            &format!("SELECT (SELECT count(*) FROM {old}) = (SELECT count(*) FROM {new})"),
        );
        let kept = || to.columns.iter().filter_map(|new| Some((from.column(&new.name)?, new)));
        let computed: Vec<_> = kept().filter(|(old, new)| new.is_generated && !old.is_generated).collect();
        if computed.is_empty() {
            return;
        }
        let faults = computed.iter().map(|(_, new)| format!("{}.{}", to.name, new.name)).collect::<Vec<_>>().join(", ");
        self.comment(&format!(
            "Generated from now on: {faults}. The next three statements fail if a row has another value than the computed \
             one: remove them to replace it."
        ));
        let is_copied = |old: &Column, new: &Column| {
            !new.is_generated && !becomes_not_null(old, new) && Affinity::of(old, from) == Affinity::of(new, to)
        };
        let compared = kept().filter(|(old, new)| is_copied(old, new)).chain(computed);
        let compared = compared.map(|(old, _)| format!("{} COLLATE BINARY", quoted(&old.name)));
        let compared = compared.collect::<Vec<_>>().join(", ");
        self.guard(
            &format!("{faults} would be replaced by computed values"),
            &format!("SELECT NOT EXISTS (SELECT {compared} FROM {old} EXCEPT SELECT {compared} FROM {new})"),
        );
    }
}
