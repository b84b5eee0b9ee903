//! The text of a CREATE TABLE, in its parts.

use super::names;
use crate::tokens::{Token, normal, tokens};

/// The words that a constraint of a table begins with; everything else in the parentheses is a column.
const CONSTRAINT_WORDS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// A CREATE TABLE, split.
pub(crate) struct Definition {
    /// Its columns, in order.
    pub(crate) columns: Vec<Item>,
    /// Its constraints, normalised, in an order of their own.
    pub(crate) constraints: Vec<String>,
    /// What follows the parentheses, such as STRICT, normalised, in an order of its own.
    pub(crate) options: Vec<String>,
}

/// What stands between two commas.
pub(crate) struct Item {
    /// The first name in it, in lower case.
    pub(crate) name: String,
    /// As it was written.
    pub(crate) text: String,
    /// Normalised.
    pub(crate) normal: String,
}

impl Definition {
    /// Splits the text that SQLite keeps; `None` if that is not possible.
    pub(crate) fn of(sql: &str) -> Option<Self> {
        let all = tokens(sql);
        let open = all.iter().position(|token| token.is_symbol("("))?;
        let length = closing(&all[open..])?;
        let (inner, rest) = (&all[open + 1..open + length], &all[open + length + 1..]);
        let mut definition = Self { columns: Vec::new(), constraints: Vec::new(), options: Vec::new() };
        for item in split(inner) {
            let (first, last) = (item.first()?, item.last()?);
            if CONSTRAINT_WORDS.iter().any(|word| first.is(word)) {
                definition.constraints.push(normal(item));
            } else {
                let text = sql[first.start..last.end()].to_owned();
                definition.columns.push(Item { name: first.name(), text, normal: normal(item) });
            }
        }
        definition.options.extend(split(rest).filter(|option| !option.is_empty()).map(normal));
        definition.constraints.sort();
        definition.options.sort();
        Some(definition)
    }
}

/// Where the parenthesis that opens `tokens` is closed.
fn closing(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        depth += usize::from(token.is_symbol("("));
        depth -= usize::from(token.is_symbol(")"));
        depth == 0
    })
}

/// The parts between the commas that are in no parentheses.
fn split<'t, 's>(tokens: &'t [Token<'s>]) -> impl Iterator<Item = &'t [Token<'s>]> {
    let mut depth = 0_usize;
    tokens.split(move |token| {
        depth += usize::from(token.is_symbol("("));
        depth = depth.saturating_sub(usize::from(token.is_symbol(")")));
        depth == 0 && token.is_symbol(",")
    })
}

/// The CREATE TABLE `sql` for a table called `name`. References to the table in it stay as they are: a successor is
/// made under another name and then renamed, and its references to itself must mean what it will be.
pub(crate) fn with_table_name(sql: &str, name: &str) -> String {
    match tokens(sql).iter().find(|token| !token.is("CREATE") && !token.is("TABLE")) {
        Some(token) => format!("{}{}{}", &sql[..token.start], names::quoted(name), spaced(&sql[token.end()..])),
        None => sql.to_owned(),
    }
}

/// SQLite writes `CREATE TABLE "t" (`, people write `CREATE TABLE t(`; both become `t (`.
fn spaced(rest: &str) -> String {
    if rest.starts_with('(') { format!(" {rest}") } else { rest.to_owned() }
}

/// The default in the column's text is something that SQLite works out for each row.
pub(crate) fn has_computed_default(column: &str) -> bool {
    let tokens = tokens(column);
    let value = tokens.iter().position(|token| token.is("DEFAULT")).and_then(|at| tokens.get(at + 1));
    value
        .is_some_and(|value| value.is_symbol("(") || names::is_value(&value.name()) && value.name().contains("current"))
}

/// Whether one of `keywords` stands in the text.
pub(crate) fn has_keyword(text: &str, keywords: &[&str]) -> bool {
    tokens(text).iter().any(|token| keywords.iter().any(|keyword| token.is(keyword)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_constraints_are_told_apart() {
        let sql = "CREATE TABLE t(a DECIMAL(10, 2) DEFAULT (max(1, 2)), -- one, two\n \"check\" TEXT CHECK (\"check\" <> ','),
            UNIQUE (a, \"check\"), CONSTRAINT c CHECK (a > 0)) WITHOUT ROWID, STRICT";
        let definition = Definition::of(sql).unwrap();
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
    fn computed_defaults_are_recognised() {
        for column in ["a TEXT DEFAULT (1 + 1)", "a DATETIME NOT NULL DEFAULT current_timestamp"] {
            assert!(has_computed_default(column), "{column}");
        }
        for column in ["a TEXT", "a TEXT DEFAULT '(1)'", "a INTEGER DEFAULT -1", "a TEXT DEFAULT NULL"] {
            assert!(!has_computed_default(column), "{column}");
        }
    }
}
