//! SQL scripts: the tokens are the script without its white space and comments, and statements that run one by one have
//! the effect of the script.
#![no_main]

use lanterne_fuzz::sqlite;
use lanterne_schema::{Statement, statements};
use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;

#[allow(dead_code, reason = "the fields are for the rest of its crate")]
#[path = "../../crates/schema/src/lexer.rs"]
mod lexer;

fuzz_target!(|sql: &str| {
    check_tokens(sql);
    check_statements(sql);
    // SQLite takes NUL for the end of a text. The name of a parameter can contain a semicolon: `$a(;)`.
    if !sql.contains(['\0', '$', '@', '#', ':']) {
        run(sql);
    }
});

fn check_tokens(sql: &str) {
    let mut end = 0;
    for token in lexer::tokens(sql) {
        assert!(!token.text.is_empty() && sql[token.start..].starts_with(token.text), "{sql:?}: {token:?}");
        check_gap(sql, &sql[end..token.start]);
        end = token.start + token.text.len();
        let alone = lexer::tokens(token.text);
        assert!(alone.len() == 1 && alone[0].kind == token.kind, "{sql:?}: {token:?} {alone:?}");
    }
    check_gap(sql, &sql[end..]);
}

/// Checks that a text is white space and comments only.
fn check_gap(sql: &str, gap: &str) {
    let mut rest = gap;
    while !rest.is_empty() {
        let length = match rest.as_bytes() {
            [b'-', b'-', ..] => rest.find('\n'),
            [b'/', b'*', after @ ..] => {
                let end = after.windows(2).position(|two| two == b"*/");
                end.map(|at| at + 4)
            }
            [0xEF, 0xBB, 0xBF, ..] => Some(3),
            // SQLite takes a vertical tab for white space only behind other white space.
            [first, after @ ..] if first.is_ascii_whitespace() => {
                Some(1 + after.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0B).count())
            }
            _ => Some(0),
        };
        // An unterminated comment extends to the end.
        let length = length.unwrap_or(rest.len());
        assert!(length > 0, "{sql:?}: {gap:?} is skipped");
        rest = &rest[length..];
    }
}

fn check_statements(sql: &str) {
    let found = statements(sql);
    let mut end = 0;
    for Statement { text, line } in &found {
        let start = text.as_ptr() as usize - sql.as_ptr() as usize;
        assert!(start >= end && sql[start..].starts_with(text), "{sql:?}: {text:?} is not in its place");
        assert_eq!(*line, 1 + sql[..start].matches('\n').count(), "{sql:?}: {text:?}");
        end = start + text.len();
        assert_eq!(statements(text), [Statement { text, line: 1 }], "{sql:?}");
    }
    let joined: String = found.iter().map(|statement| format!("{}\n;", statement.text)).collect();
    let texts = |statements: Vec<Statement<'_>>| statements.iter().map(|one| one.text.to_owned()).collect::<Vec<_>>();
    // The last statement may have no semicolon, or be a trigger without its end.
    let is_terminated = lexer::tokens(sql).last().is_some_and(|token| token.is_symbol(";") && token.start >= end);
    if is_terminated {
        assert_eq!(texts(statements(&joined)), texts(found), "{sql:?}");
    }
}

/// Runs a script as a whole and statement by statement, in two databases. A comment behind a statement is no part of it;
/// as a whole, SQLite copies one behind ADD COLUMN into the schema, and fails if that hides the rest.
fn run(sql: &str) {
    let whole = sqlite::open().expect("memory");
    let single = sqlite::open().expect("memory");
    if whole.execute_batch(sql).is_err() {
        return;
    }
    for Statement { text, line } in statements(sql) {
        // `prepare` refuses a text with more than one statement.
        let result = single.prepare(text).and_then(|mut statement| statement.raw_query().next().map(drop));
        assert_eq!(result, Ok(()), "{sql:?}, line {line}");
    }
    assert_eq!(schema(&single), schema(&whole), "{sql:?}");
}

/// Returns the objects in order of creation, with the tokens of their definition.
fn schema(db: &Connection) -> Vec<(String, String, Vec<String>)> {
    let mut statement =
        db.prepare("SELECT type, name, ifnull(sql, '') FROM sqlite_schema ORDER BY rowid").expect("a query");
    let words = |sql: String| lexer::tokens(&sql).iter().map(|token| token.text.to_owned()).collect();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, words(row.get(2)?))));
    rows.and_then(Iterator::collect).expect("rows")
}
