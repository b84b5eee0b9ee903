//! A file of SQL, one statement at a time: the host prepares one per call.
//!
//! The rules are those of SQLite's own `sqlite3_complete`: a semicolon ends a statement unless it stands in a string,
//! a quoted name or a comment; and `CREATE TRIGGER`, which has statements inside, ends with `; END ;`.

/// One statement of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// From its first word to before its semicolon, comments inside included.
    pub text: &'a str,
    /// The line its first word is on, from 1.
    pub line: usize,
}

/// The statements of `sql`, in order; comments between them, and nothing at all, are none.
pub(crate) fn statements(sql: &str) -> impl Iterator<Item = Statement<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = sql.get(start..)?;
            let found = next_statement(rest)?;
            let line = 1 + sql[..start + found.begin].matches('\n').count();
            let text = rest[found.begin..found.end].trim_end();
            start += found.next;
            // Two semicolons in a row have nothing between them.
            if !text.is_empty() {
                return Some(Statement { text, line });
            }
        }
    })
}

/// Where the next statement of a text is: from `begin` to before `end`, and where to go on.
struct Bounds {
    begin: usize,
    end: usize,
    next: usize,
}

/// How much of `CREATE TEMP TRIGGER` was seen, and within a trigger how much of `; END`.
#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Start,
    Create,
    Ordinary,
    Trigger,
    TriggerSemicolon,
    TriggerEnd,
}

fn next_statement(sql: &str) -> Option<Bounds> {
    let mut begin = None;
    let mut progress = Progress::Start;
    let mut at = 0;
    while let Some(token) = next_token(&sql[at..]) {
        let (from, to) = (at, at + token.length);
        at = to;
        if token.kind == Kind::Blank {
            continue;
        }
        if token.kind == Kind::Semicolon && !matches!(progress, Progress::Trigger | Progress::TriggerSemicolon) {
            return Some(Bounds { begin: begin.unwrap_or(from), end: from, next: to });
        }
        begin.get_or_insert(from);
        progress = advance(progress, token.kind, &sql[from..to]);
    }
    begin.map(|begin| Bounds { begin, end: sql.len(), next: sql.len() + 1 })
}

fn advance(progress: Progress, kind: Kind, text: &str) -> Progress {
    use Progress::{Create, Ordinary, Start, Trigger, TriggerEnd, TriggerSemicolon};
    let is = |word: &str| kind == Kind::Word && text.eq_ignore_ascii_case(word);
    match progress {
        Start if is("CREATE") => Create,
        Create if is("TEMP") || is("TEMPORARY") => Create,
        Create if is("TRIGGER") => Trigger,
        Start | Create | Ordinary => Ordinary,
        Trigger | TriggerSemicolon | TriggerEnd if kind == Kind::Semicolon => TriggerSemicolon,
        TriggerSemicolon if is("END") => TriggerEnd,
        Trigger | TriggerSemicolon | TriggerEnd => Trigger,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Space or a comment.
    Blank,
    Semicolon,
    /// A keyword or a plain name.
    Word,
    /// A string, a quoted name, a number's sign, an operator: nothing that matters here.
    Other,
}

struct Token {
    kind: Kind,
    length: usize,
}

/// The token at the beginning of `sql`; one that is not closed goes to the end, and SQLite will say what it thinks.
fn next_token(sql: &str) -> Option<Token> {
    let first = sql.chars().next()?;
    let through = |end: &str, from: usize| sql[from..].find(end).map_or(sql.len(), |found| from + found + end.len());
    let token = |kind, length| Some(Token { kind, length });
    match first {
        _ if sql.starts_with("--") => token(Kind::Blank, through("\n", 2)),
        _ if sql.starts_with("/*") => token(Kind::Blank, through("*/", 2)),
        // A doubled quote inside is the end of one string and the beginning of the next: the same to us.
        '\'' => token(Kind::Other, through("'", 1)),
        '"' => token(Kind::Other, through("\"", 1)),
        '`' => token(Kind::Other, through("`", 1)),
        '[' => token(Kind::Other, through("]", 1)),
        ';' => token(Kind::Semicolon, 1),
        c if c.is_ascii_whitespace() => token(Kind::Blank, 1),
        c if is_name(c) => token(Kind::Word, sql.find(|c| !is_name(c)).unwrap_or(sql.len())),
        c => token(Kind::Other, c.len_utf8()),
    }
}

/// Whether `c` can stand in a plain name; SQLite lets everything beyond ASCII.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::statements;

    fn texts(sql: &str) -> Vec<&str> {
        statements(sql).map(|statement| statement.text).collect()
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
    fn statements_know_their_line() {
        let lines: Vec<_> = statements("-- title\n\nA;\n\n-- about B\nB\n;C").map(|statement| statement.line).collect();
        assert_eq!(lines, [3, 6, 7]);
    }
}
