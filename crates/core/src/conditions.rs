//! The conditions of a list, those that were asked for only: each of them is one that an index serves, as
//! `?1 IS NULL OR column = ?1` is not.

use lanterne_database::Value;

/// Conditions that must all hold, with the values of their `?`, in order.
#[derive(Default)]
pub(crate) struct Conditions {
    sql: Vec<&'static str>,
    params: Vec<Value>,
}

impl Conditions {
    /// Adds the condition `sql`, which has one `?`, if there is a value for it.
    pub(crate) fn and(mut self, sql: &'static str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.sql.push(sql);
            self.params.push(value.into());
        }
        self
    }

    /// WHERE and what stands behind it, and the values. Nothing if there is no condition: SQLite counts a whole table much
    /// faster than the rows of it for which something is true.
    pub(crate) fn build(self) -> (String, Vec<Value>) {
        let sql = if self.sql.is_empty() { String::new() } else { format!("WHERE {}", self.sql.join(" AND ")) };
        (sql, self.params)
    }
}
