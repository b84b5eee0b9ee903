//! Splits a file of SQL into statements: the host prepares one per call.

use crate::lexer::{Token, tokens};

/// One statement of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// From its first token to the last one before its semicolon, comments between them included.
    pub text: &'a str,
    /// The line of its first token, from 1.
    pub line: usize,
}

/// Splits `sql` by the rules of `sqlite3_complete`: a semicolon ends a statement unless it is part of a string, a quoted
/// name or a comment; CREATE TRIGGER, which contains statements, ends with `; END ;`.
pub fn statements(sql: &str) -> Vec<Statement<'_>> {
    let tokens = tokens(sql);
    let mut rest = tokens.as_slice();
    let mut statements = Vec::new();
    while let Some(first) = rest.first() {
        let length = statement_length(rest);
        if let Some(last) = rest[..length].last() {
            let line = 1 + sql[..first.start].matches('\n').count();
            statements.push(Statement { text: &sql[first.start..last.start + last.text.len()], line });
        }
        rest = rest.get(length + 1..).unwrap_or_default();
    }
    statements
}

/// The number of tokens of the first statement, without its semicolon.
fn statement_length(tokens: &[Token<'_>]) -> usize {
    let is = |at: usize, keyword: &str| tokens.get(at).is_some_and(|token| token.is(keyword));
    let create = match is(0, "EXPLAIN") {
        true if is(1, "QUERY") => 3,
        true => 1,
        false => 0,
    };
    let trigger = create + if is(create + 1, "TEMP") || is(create + 1, "TEMPORARY") { 2 } else { 1 };
    let is_trigger = is(create, "CREATE") && is(trigger, "TRIGGER");
    let is_end = |at: usize| at >= 2 && tokens[at - 1].is("END") && tokens[at - 2].is_symbol(";");
    let ends = |at: &usize| tokens[*at].is_symbol(";") && (!is_trigger || is_end(*at));
    (0..tokens.len()).find(ends).unwrap_or(tokens.len())
}

#[cfg(test)]
mod tests {
    use super::statements;

    fn texts(sql: &str) -> Vec<&str> {
        statements(sql).iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn statements_end_with_a_semicolon_or_the_file() {
        assert_eq!(texts("A 1;\n B 2 ;C"), ["A 1", "B 2", "C"]);
        assert_eq!(texts(" ;; A;\n;"), ["A"]);
        assert!(texts("").is_empty() && texts("-- nothing\n/* here; */").is_empty());
    }

    #[test]
    fn semicolons_in_strings_names_and_comments_are_text() {
        for sql in [
            "INSERT INTO t VALUES ('a;''b;', \"c;\", `d;`, [e;])",
            "SELECT 1 -- one; two\n + 2",
            "SELECT /* ; ' */ 1",
            "SELECT 'é;' AS ü",
        ] {
            assert_eq!(texts(&format!("{sql};\nB;")), [sql, "B"]);
        }
        assert_eq!(texts("A; SELECT 'never closed; at all"), ["A", "SELECT 'never closed; at all"]);
    }

    #[test]
    fn a_trigger_is_one_statement() {
        let trigger = "CREATE TEMP TRIGGER t AFTER UPDATE ON x BEGIN\n UPDATE y SET z = CASE WHEN 1 THEN 2 END;\n \
                       SELECT 'END;'; -- END;\nEND";
        assert_eq!(
            texts(&format!("A; {trigger} ; create table end (a); B")),
            ["A", trigger, "create table end (a)", "B"]
        );
        assert_eq!(texts("CREATE TABLE trigger_log (a); END; B"), ["CREATE TABLE trigger_log (a)", "END", "B"]);
    }

    #[test]
    fn an_explained_trigger_is_one_statement() {
        let trigger = "CREATE TRIGGER t DELETE ON x BEGIN SELECT 1; END";
        for explain in ["EXPLAIN", "explain query plan"] {
            assert_eq!(texts(&format!("{explain} {trigger};B")), [format!("{explain} {trigger}"), "B".to_owned()]);
        }
        assert_eq!(texts("EXPLAIN SELECT 1;B"), ["EXPLAIN SELECT 1", "B"]);
    }

    #[test]
    fn a_byte_order_mark_is_white_space() {
        let trigger = "CREATE TRIGGER t DELETE ON x BEGIN SELECT 1; END";
        assert_eq!(texts(&format!("\u{FEFF}{trigger};\u{FEFF}B;\u{FEFF}\n")), [trigger, "B"]);
    }

    #[test]
    fn white_space_beyond_ascii_is_part_of_a_statement() {
        assert_eq!(texts("SELECT 1 AS x\u{A0};\u{B}; B \u{C};"), ["SELECT 1 AS x\u{A0}", "\u{B}", "B"]);
        assert_eq!(texts("A \u{B};\n\u{B};--\n\u{B}"), ["A"]);
    }

    #[test]
    fn a_comment_that_begins_at_the_end_is_left_to_sqlite() {
        assert_eq!(texts("A;/*"), ["A", "/*"]);
        assert_eq!(texts("A;/* "), ["A"]);
        assert_eq!(texts("A /* "), ["A"]);
    }

    #[test]
    fn statements_have_their_line_number() {
        let statements = statements("-- title\n\nA;\n\n-- about B\nB\n;C");
        assert_eq!(statements.iter().map(|statement| statement.line).collect::<Vec<_>>(), [3, 6, 7]);
    }
}
