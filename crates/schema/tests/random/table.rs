//! A random table.
//!
//! The row with the id n has the number n in every column, converted to its type. So rows satisfy every UNIQUE, CHECK and
//! reference that the generator produces, and a change can fail only because of the library. For the same reason a unique
//! column has no default: all rows would get it.

use super::numbers::Numbers;

const NAMES: [&str; 8] = ["alpha", "beta", "Gamma", "order", "del ta", "epsilon", "zeta", "eta"];
const TYPES: [&str; 6] = ["INTEGER", "TEXT", "REAL", "VARCHAR(20)", "BOOLEAN", "DATETIME"];
/// The number of these types that a STRICT table allows: the first ones.
const STRICT_TYPES: usize = 3;

const DEFAULTS: [&str; 8] = ["7", "'x''y'", "NULL", "(1 + 1)", "CURRENT_TIMESTAMP", "-1.5", "\"id\"", "Draft"];
const CONFLICTS: [&str; 4] = ["", "", " ON CONFLICT REPLACE", " ON CONFLICT IGNORE"];

/// How the key `id` is declared.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Key {
    Inline,
    Autoincrement,
    /// No alias of the rowid, and so nullable.
    Descending,
    AtTheEnd,
    WithoutRowid,
}

const KEYS: [Key; 5] = [Key::Inline, Key::Autoincrement, Key::Descending, Key::AtTheEnd, Key::WithoutRowid];

/// A column other than the key.
#[derive(Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) not_null: bool,
    pub(crate) default: Option<&'static str>,
    pub(crate) unique: bool,
    /// The conflict clause of NOT NULL and UNIQUE.
    pub(crate) conflict: &'static str,
    pub(crate) ignores_case: bool,
    pub(crate) check: bool,
    pub(crate) generated: Option<&'static str>,
    /// The table whose id it refers to.
    pub(crate) parent: Option<&'static str>,
}

/// A table.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: Key,
    pub(crate) strict: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) checks: usize,
    /// Whether `id` and the first ordinary column are UNIQUE together.
    pub(crate) unique_together: bool,
}

impl Column {
    pub(crate) fn new(name: &'static str, tables: &[&'static str], numbers: &mut Numbers) -> Self {
        let mut column = Self {
            name,
            type_name: numbers.one_of(&TYPES),
            not_null: numbers.once_in(4),
            default: None,
            unique: numbers.once_in(6),
            conflict: numbers.one_of(&CONFLICTS),
            ignores_case: numbers.once_in(6),
            check: numbers.once_in(6),
            generated: None,
            parent: None,
        };
        if numbers.once_in(8) {
            column.generated = Some(numbers.one_of(&["VIRTUAL", "STORED"]));
            (column.unique, column.not_null) = (false, false);
        } else if !tables.is_empty() && numbers.once_in(4) {
            column.parent = Some(numbers.one_of(tables));
        } else if !column.unique && numbers.once_in(2) {
            column.default = Some(numbers.one_of(&DEFAULTS));
        }
        column
    }

    /// Returns its part of the CREATE TABLE, with random spacing, which must make no difference.
    fn sql(&self, strict: bool, numbers: &mut Numbers) -> String {
        let mut sql = format!("{} {}", quoted(self.name, numbers), self.type_in(strict));
        let space = numbers.one_of(&[" ", "  ", "\n        "]);
        if let Some(kind) = self.generated {
            return format!("{sql}{space}GENERATED ALWAYS AS (id + 0) {kind}");
        }
        let mut add = |part: String| sql.push_str(&format!("{space}{part}"));
        if self.not_null {
            add(format!("NOT NULL{}", self.conflict));
        }
        if let Some(default) = self.default {
            add(format!(
                "DEFAULT {}",
                // Of these, every type of a STRICT table accepts only integers.
                if strict && !["7", "NULL", "(1 + 1)"].contains(&default) { "5" } else { default }
            ));
        }
        if self.unique {
            add(format!("UNIQUE{}", self.conflict));
        }
        if self.ignores_case {
            add("COLLATE NOCASE".to_owned());
        }
        if self.check {
            add(format!("CHECK ({} <> 'never')", quoted(self.name, numbers)));
        }
        if let Some(parent) = self.parent {
            let action = numbers.one_of(&["ON DELETE CASCADE", "ON DELETE CASCADE "]);
            add(format!("REFERENCES {} (id) {action}", quoted(parent, numbers)));
        }
        sql
    }

    /// Returns its type, or TEXT if a STRICT table does not allow it.
    pub(crate) fn type_in(&self, strict: bool) -> &'static str {
        let is_strict_type = TYPES[..STRICT_TYPES].contains(&self.type_name);
        if strict && !is_strict_type { "TEXT" } else { self.type_name }
    }
}

impl Table {
    pub(crate) fn new(name: &'static str, tables: &[&'static str], numbers: &mut Numbers) -> Self {
        let count = numbers.below(5);
        let mut table = Self {
            name,
            key: KEYS[numbers.below(KEYS.len())],
            strict: numbers.once_in(5),
            columns: Vec::new(),
            checks: numbers.below(2),
            unique_together: numbers.once_in(4),
        };
        for _ in 0..count {
            table.add_column(tables, numbers);
        }
        table
    }

    /// Adds a column, usually at the end, if a name is left.
    fn add_column(&mut self, tables: &[&'static str], numbers: &mut Numbers) {
        let free: Vec<_> = NAMES.into_iter().filter(|name| self.columns.iter().all(|c| c.name != *name)).collect();
        let column = Column::new(free[numbers.below(free.len())], tables, numbers);
        let at = if numbers.once_in(4) { numbers.below(self.columns.len() + 1) } else { self.columns.len() };
        if self.columns.len() < 6 {
            self.columns.insert(at, column);
        }
    }

    /// Makes one change.
    pub(crate) fn change(&mut self, tables: &[&'static str], numbers: &mut Numbers) {
        let count = self.columns.len();
        let column = (count > 0).then(|| numbers.below(count));
        match (numbers.below(14), column) {
            (0..=3, _) | (_, None) => self.add_column(tables, numbers),
            (4 | 5, Some(at)) => drop(self.columns.remove(at)),
            (6, Some(at)) => {
                let column = &mut self.columns[at];
                column.not_null = !column.not_null && column.generated.is_none();
            }
            (7, Some(at)) => self.columns[at].type_name = numbers.one_of(&TYPES),
            (8, Some(at)) => {
                let column = &mut self.columns[at];
                column.unique = !column.unique && column.default.is_none() && column.generated.is_none();
                column.check = numbers.once_in(2);
            }
            (9, Some(at)) => self.columns.swap(at, 0),
            (10, _) => self.strict = !self.strict,
            (11, _) => self.key = KEYS[numbers.below(KEYS.len())],
            (12, Some(at)) => {
                let column = &mut self.columns[at];
                column.ignores_case = !column.ignores_case;
                column.conflict = numbers.one_of(&CONFLICTS);
            }
            (_, Some(_)) => {
                self.checks = numbers.below(3);
                self.unique_together = numbers.once_in(2);
                if self.key != Key::WithoutRowid {
                    self.key = if self.key == Key::Autoincrement { Key::Inline } else { Key::Autoincrement };
                }
            }
        }
    }

    /// Returns the CREATE TABLE.
    pub(crate) fn sql(&self, numbers: &mut Numbers) -> String {
        let mut items = vec![match self.key {
            Key::Inline => "id INTEGER PRIMARY KEY".to_owned(),
            Key::Descending => "id INTEGER PRIMARY KEY DESC".to_owned(),
            Key::Autoincrement => "id INTEGER PRIMARY KEY AUTOINCREMENT".to_owned(),
            Key::AtTheEnd | Key::WithoutRowid => "id INTEGER NOT NULL".to_owned(),
        }];
        items.extend(self.columns.iter().map(|column| column.sql(self.strict, numbers)));
        if matches!(self.key, Key::AtTheEnd | Key::WithoutRowid) {
            items.push("PRIMARY KEY (id)".to_owned());
        }
        items.extend((0..self.checks).map(|n| format!("CONSTRAINT c{n} CHECK (id > -{n} - 2)")));
        if let (true, Some(column)) = (self.unique_together, self.columns.iter().find(|c| c.generated.is_none())) {
            items.push(format!("UNIQUE (id, {})", quoted(column.name, numbers)));
        }
        let options = match (self.key == Key::WithoutRowid, self.strict) {
            (true, true) => " WITHOUT ROWID, STRICT",
            (true, false) => " WITHOUT ROWID",
            (false, true) => " STRICT",
            (false, false) => "",
        };
        let comma = numbers.one_of(&[", ", ",\n    ", ", -- a comment, with ('\n    "]);
        format!("CREATE TABLE {}({}){options};\n", quoted(self.name, numbers), items.join(comma))
    }
}

/// Returns the name in one kind of quotes or another, or without if possible.
pub(crate) fn quoted(name: &str, numbers: &mut Numbers) -> String {
    match numbers.below(3) {
        0 if !["order", "group", "del ta"].contains(&name) => name.to_owned(),
        1 => format!("[{name}]"),
        _ => format!("\"{name}\""),
    }
}
