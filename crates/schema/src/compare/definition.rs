//! Splits the text of a CREATE TABLE.

use std::collections::HashSet;

use super::names::{is_value, normal, quoted};
use crate::lexer::{Token, TokenKind, tokens};

/// The first words of table constraints; everything else in the parentheses is a column.
const CONSTRAINT_WORDS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// The parts of a CREATE TABLE.
pub(crate) struct Definition {
    /// In order.
    pub(crate) columns: Vec<ColumnDefinition>,
    /// The table constraints, normalized and sorted.
    pub(crate) constraints: Vec<String>,
    /// The words after the parentheses, such as STRICT, normalized and sorted.
    pub(crate) options: Vec<String>,
}

/// The definition of a column.
pub(crate) struct ColumnDefinition {
    /// In lower case.
    pub(crate) name: String,
    /// As written.
    pub(crate) text: String,
    pub(crate) normal: String,
}

impl Definition {
    /// Splits a CREATE TABLE that SQLite has accepted; `None` if its form is unknown. `names` are the names of the
    /// schema, in lower case.
    pub(crate) fn parse(sql: &str, names: &HashSet<String>) -> Option<Self> {
        let all = tokens(sql);
        let open = all.iter().position(|token| token.is_symbol("("))?;
        // No option has parentheses.
        let close = all.iter().rposition(|token| token.is_symbol(")"))?;
        let mut definition = Self { columns: Vec::new(), constraints: Vec::new(), options: Vec::new() };
        for item in split(all.get(open + 1..close)?) {
            let (first, last) = (item.first()?, item.last()?);
            if CONSTRAINT_WORDS.iter().any(|word| first.is(word)) {
                definition.constraints.push(normal(item, names));
            } else {
                let text = sql[first.start..last.end()].to_owned();
                definition.columns.push(ColumnDefinition { name: first.name(), text, normal: normal(item, names) });
            }
        }
        let options = split(&all[close + 1..]).filter(|option| !option.is_empty());
        definition.options.extend(options.map(|option| normal(option, names)));
        definition.constraints.sort();
        definition.options.sort();
        Some(definition)
    }
}

/// Splits at the commas outside parentheses.
fn split<'t, 's>(tokens: &'t [Token<'s>]) -> impl Iterator<Item = &'t [Token<'s>]> {
    let mut depth = 0_usize;
    tokens.split(move |token| {
        depth += usize::from(token.is_symbol("("));
        depth = depth.saturating_sub(usize::from(token.is_symbol(")")));
        depth == 0 && token.is_symbol(",")
    })
}

/// Returns the CREATE TABLE `sql` with another table name. References of the table to itself keep the old name: a
/// rebuilt table is renamed to it.
pub(crate) fn with_table_name(sql: &str, name: &str) -> String {
    let tokens = tokens(sql);
    let Some(token) = tokens.iter().find(|token| !token.is("CREATE") && !token.is("TABLE")) else {
        return sql.to_owned();
    };
    let rest = &sql[token.end()..];
    // SQLite rewrites the text to `CREATE TABLE "t" (` when it renames; people write `CREATE TABLE t(`.
    let space = if rest.starts_with('(') { " " } else { "" };
    format!("{}{}{space}{rest}", &sql[..token.start], quoted(name))
}

/// Whether the definition of a column has a default that SQLite evaluates for each row.
pub(crate) fn has_computed_default(column: &str) -> bool {
    let tokens = tokens(column);
    let value = tokens.iter().position(|token| token.is("DEFAULT")).and_then(|at| tokens.get(at + 1));
    value.is_some_and(|value| {
        let is_keyword = value.kind == TokenKind::Word && is_value(&value.name());
        value.is_symbol("(") || is_keyword && value.name().starts_with("current")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_constraints_are_distinguished() {
        let sql = "CREATE TABLE t(a DECIMAL(10, 2) DEFAULT (max(1, 2)), -- one, two\n \"check\" TEXT CHECK (\"check\" <> ','),
            UNIQUE (a, \"check\"), CONSTRAINT c CHECK (a > 0)) WITHOUT ROWID, STRICT";
        let definition = Definition::parse(sql, &HashSet::from(["check".to_owned()])).unwrap();
        let texts: Vec<_> = definition.columns.iter().map(|column| column.text.as_str()).collect();
        assert_eq!(texts, ["a DECIMAL(10, 2) DEFAULT (max(1, 2))", "\"check\" TEXT CHECK (\"check\" <> ',')"]);
        assert_eq!(definition.columns[1].name, "check");
        assert_eq!(definition.constraints, ["constraint c check ( a > 0 )", "unique ( a , check )"]);
        assert_eq!(definition.options, ["strict", "without rowid"]);
    }

    #[test]
    fn only_the_name_of_the_table_is_replaced() {
        let sql = "CREATE TABLE \"node\"(id INTEGER PRIMARY KEY, up INTEGER REFERENCES node (id))";
        let expected = "CREATE TABLE new_node (id INTEGER PRIMARY KEY, up INTEGER REFERENCES node (id))";
        assert_eq!(with_table_name(sql, "new_node"), expected);
    }

    #[test]
    fn computed_defaults_are_recognized() {
        for column in ["a TEXT DEFAULT (1 + 1)", "a DATETIME NOT NULL DEFAULT current_timestamp"] {
            assert!(has_computed_default(column), "{column}");
        }
        for column in [
            "a TEXT",
            "a TEXT DEFAULT '(1)'",
            "a TEXT DEFAULT \"current_date\"",
            "a INTEGER DEFAULT -1",
            "a TEXT DEFAULT NULL",
        ] {
            assert!(!has_computed_default(column), "{column}");
        }
    }
}
