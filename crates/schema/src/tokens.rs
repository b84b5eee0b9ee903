//! SQL as its tokens: enough to compare two texts, to split a CREATE TABLE, and to see which names a text mentions.

use std::collections::HashSet;

use crate::compare::names;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, a plain name or a number.
    Word,
    /// A name in quotes: `"a"`, `` `a` `` or `[a]`.
    Quoted,
    /// `'text'`
    Text,
    /// One character of anything else.
    Symbol,
}

/// A token of a text; spaces and comments are none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub(crate) kind: Kind,
    /// As it is written.
    pub(crate) text: &'a str,
    /// Where it begins.
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Where it ends.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this character.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name that it is, without quotes and in lower case: SQLite tells no case of names apart.
    pub(crate) fn name(&self) -> String {
        // Empty for a text that is not closed.
        let inner = || self.text.get(1..self.text.len() - 1).unwrap_or_default();
        let name = match self.kind {
            Kind::Word | Kind::Symbol => self.text.to_owned(),
            Kind::Text => inner().replace("''", "'"),
            Kind::Quoted if self.text.starts_with('[') => inner().to_owned(),
            Kind::Quoted => {
                let quote = &self.text[..1];
                inner().replace(&quote.repeat(2), quote)
            }
        };
        name.to_ascii_lowercase()
    }

    /// The one way to write it, of all that mean the same.
    fn normal(&self) -> String {
        match self.kind {
            Kind::Word => self.text.to_ascii_lowercase(),
            Kind::Text | Kind::Symbol => self.text.to_owned(),
            // Without its quotes this would be a value: DEFAULT "null" is not DEFAULT null.
            Kind::Quoted if names::is_value(&self.name()) => format!("\"{}\"", self.name()),
            Kind::Quoted if names::is_plain(&self.name()) => self.name(),
            Kind::Quoted => format!("\"{}\"", self.name().replace('"', "\"\"")),
        }
    }
}

/// The tokens of `sql`.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some((kind, length)) = first_token(&sql[start..]) {
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: &sql[start..start + length], start });
        }
        start += length;
    }
    tokens
}

/// A text that is the same for all that mean the same.
pub(crate) fn normal(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(Token::normal).collect::<Vec<_>>().join(" ")
}

/// Whether one of `names`, which are in lower case, may be meant somewhere in `sql`.
pub(crate) fn mentions(sql: &str, names: &HashSet<String>) -> bool {
    tokens(sql).iter().any(|token| names.contains(&token.name()))
}

/// What `sql` begins with, and how long that is; no kind for spaces and comments. What is not closed goes to the end:
/// SQLite has refused it before.
fn first_token(sql: &str) -> Option<(Option<Kind>, usize)> {
    let first = sql.chars().next()?;
    let through = |end: &str, from: usize| sql[from..].find(end).map_or(sql.len(), |found| from + found + end.len());
    let run = |is_in: fn(char) -> bool| sql.find(|c| !is_in(c)).unwrap_or(sql.len());
    Some(match first {
        _ if sql.starts_with("--") => (None, through("\n", 2)),
        _ if sql.starts_with("/*") => (None, through("*/", 2)),
        c if c.is_ascii_whitespace() => (None, run(|c| c.is_ascii_whitespace())),
        '\'' => (Some(Kind::Text), quoted_length(sql, '\'')),
        '"' | '`' => (Some(Kind::Quoted), quoted_length(sql, first)),
        '[' => (Some(Kind::Quoted), through("]", 1)),
        c if is_in_word(c) => (Some(Kind::Word), run(is_in_word)),
        c => (Some(Kind::Symbol), c.len_utf8()),
    })
}

/// How long the text in quotes at the beginning of `sql` is; a doubled quote stands for one.
fn quoted_length(sql: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(found) = sql[at..].find(quote) {
        at += found + 1;
        if !sql[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    sql.len()
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(sql: &str) -> String {
        normal(&tokens(sql))
    }

    #[test]
    fn spaces_comments_quotes_and_case_make_no_difference() {
        let plain = normalised("create table users(id integer,e_mail text default 'A  b')");
        for sql in [
            "CREATE TABLE \"users\" (\n  [ID] INTEGER, -- the key;\n  `e_mail` TEXT DEFAULT 'A  b'\n)",
            "CREATE/* here */TABLE Users ( id INTEGER , e_mail TEXT DEFAULT 'A  b' )",
        ] {
            assert_eq!(normalised(sql), plain);
        }
    }

    #[test]
    fn what_means_something_else_makes_a_difference() {
        for (one, other) in [
            ("DEFAULT 'a'", "DEFAULT 'A'"),
            ("DEFAULT 'a b'", "DEFAULT 'a  b'"),
            ("DEFAULT \"null\"", "DEFAULT NULL"),
            ("DEFAULT 1", "DEFAULT '1'"),
            ("\"a b\"", "a b"),
            ("\"a\"\"b\"", "\"ab\""),
            ("'it''s'", "'its'"),
        ] {
            assert_ne!(normalised(one), normalised(other));
        }
    }

    #[test]
    fn names_are_found_however_they_are_quoted_and_not_in_parts_of_words() {
        let users = HashSet::from(["users".to_owned()]);
        for sql in ["SELECT 1 FROM Users", "SELECT [users].a FROM x", "SELECT \"USERS\".a", "FROM 'users'"] {
            assert!(mentions(sql, &users), "{sql}");
        }
        for sql in ["SELECT 1 FROM users2", "SELECT 1 -- users", "SELECT 'all users'"] {
            assert!(!mentions(sql, &users), "{sql}");
        }
    }

    #[test]
    fn what_is_not_closed_ends_with_the_text() {
        for sql in ["'", "\"a", "[a", "/* a", "-- a", "a '", "`", "é\"ü"] {
            let tokens = tokens(sql);
            assert!(tokens.iter().all(|token| token.end() <= sql.len()), "{sql}");
            assert!(tokens.iter().all(|token| token.name().len() <= sql.len()), "{sql}");
        }
    }
}
