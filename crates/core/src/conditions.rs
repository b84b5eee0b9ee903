//! The WHERE clause of a list: only the conditions that were asked for, since SQLite cannot use an index for
//! `?1 IS NULL OR column = ?1`.

use std::borrow::Cow;

use lanterne_database::Value;

/// Conditions joined by AND, with the values of their `?`.
#[derive(Default)]
pub(crate) struct Conditions {
    sql: Vec<Cow<'static, str>>,
    params: Vec<Value>,
}

impl Conditions {
    /// Adds `sql`, which has one `?`, if there is a value for it.
    pub(crate) fn and(mut self, sql: &'static str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.sql.push(sql.into());
            self.params.push(value.into());
        }
        self
    }

    /// Adds the alternatives, which have one `?` each, unless there are none.
    pub(crate) fn and_any(mut self, alternatives: impl Iterator<Item = (&'static str, String)>) -> Self {
        let (sql, values): (Vec<_>, Vec<_>) = alternatives.unzip();
        if !sql.is_empty() {
            self.sql.push(format!("({})", sql.join(" OR ")).into());
            self.params.extend(values.into_iter().map(Value::from));
        }
        self
    }

    /// Returns the WHERE clause and its values. Without conditions the clause is empty: SQLite counts a whole table much
    /// faster than rows that match.
    pub(crate) fn build(self) -> (String, Vec<Value>) {
        let sql = if self.sql.is_empty() { String::new() } else { format!("WHERE {}", self.sql.join(" AND ")) };
        (sql, self.params)
    }
}
