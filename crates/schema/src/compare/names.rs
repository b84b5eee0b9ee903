//! Names and literals in SQL: how they are written, and the normal form of a text.

use std::collections::HashSet;

use crate::lexer::{Token, TokenKind, tokens};

/// Words that are values where an expression may stand.
const VALUES: [&str; 6] = ["current_date", "current_time", "current_timestamp", "false", "null", "true"];

/// SQLite's keywords (<https://sqlite.org/lang_keywords.html>) in lower case. SQLite accepts many of them as names;
/// scripts quote them all for their readers.
const KEYWORDS: &str = "
    abort action add after all alter always analyze and as asc attach autoincrement before begin between by
    cascade case cast check collate column commit conflict constraint create cross current current_date
    current_time current_timestamp database default deferrable deferred delete desc detach distinct do drop each
    else end escape except exclude exclusive exists explain fail false filter first following for foreign from
    full generated glob group groups having if ignore immediate in index indexed initially inner insert instead
    intersect into is isnull join key last left like limit match materialized natural no not nothing notnull
    null nulls of offset on or order others outer over partition plan pragma preceding primary query raise range
    recursive references regexp reindex release rename replace restrict returning right rollback row rows
    savepoint select set table temp temporary then ties to transaction trigger true unbounded union unique
    update using vacuum values view virtual when where window with without";

/// Whether `name`, in lower case, would be a value without quotes.
pub(crate) fn is_value(name: &str) -> bool {
    VALUES.contains(&name)
}

/// Whether `name` has only characters that need no quotes.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Writes a name, in quotes if it needs them.
pub(crate) fn quoted(name: &str) -> String {
    let is_keyword = || KEYWORDS.split_ascii_whitespace().any(|keyword| name.eq_ignore_ascii_case(keyword));
    if is_plain(name) && !is_keyword() { name.to_owned() } else { in_quotes(name) }
}

/// Writes a name in quotes.
pub(crate) fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes a string literal: `'users'`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns a text that is equal for all spellings of `tokens`. `names` are the names of the schema, in lower case.
///
/// SQLite takes a name for a string where only a string makes sense: after DEFAULT, and in double quotes where there is no
/// such column. The case of letters matters in a string.
pub(crate) fn normal(tokens: &[Token<'_>], names: &HashSet<String>) -> String {
    let mut parts = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let follows = |keyword: &str| at > 0 && tokens[at - 1].is(keyword);
        let is_blob =
            || tokens.get(at + 1).is_some_and(|next| next.kind == TokenKind::String && next.start == token.end());
        let is_string = match token.kind {
            TokenKind::Word => follows("DEFAULT") && token.is_text_by_default() && !is_blob(),
            TokenKind::QuotedName if follows("DEFAULT") => true,
            TokenKind::QuotedName => {
                token.text.starts_with('"') && !follows("CONSTRAINT") && !names.contains(&token.name())
            }
            TokenKind::String | TokenKind::Symbol => false,
        };
        parts.push(if is_string { literal(&token.unquoted()) } else { token.normal() });
    }
    parts.join(" ")
}

/// Returns the expression of a default from the text that SQLite reports. A single name is a string.
pub(crate) fn default_expression(text: &str) -> String {
    match tokens(text).as_slice() {
        [name] if name.kind == TokenKind::QuotedName || name.is_text_by_default() => literal(&name.unquoted()),
        // A comment at the end would hide what follows.
        [.., last] => text[..last.end()].to_owned(),
        [] => text.to_owned(),
    }
}

/// Whether one of `names`, in lower case, may be referred to in `sql`.
pub(crate) fn mentions(sql: &str, names: &HashSet<String>) -> bool {
    tokens(sql).iter().any(|token| names.contains(&token.name()))
}

/// Whether `sql` contains one of `keywords`.
pub(crate) fn has_keyword(sql: &str, keywords: &[&str]) -> bool {
    tokens(sql).iter().any(|token| keywords.iter().any(|keyword| token.is(keyword)))
}

impl Token<'_> {
    /// The offset of its end in bytes.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The name without quotes and in lower case: names in SQLite are case-insensitive.
    pub(crate) fn name(&self) -> String {
        self.unquoted().to_ascii_lowercase()
    }

    /// The text without quotes.
    fn unquoted(&self) -> String {
        // Empty if the closing quote is missing.
        let inner = || self.text.get(1..self.text.len() - 1).unwrap_or_default();
        match self.kind {
            TokenKind::Word | TokenKind::Symbol => self.text.to_owned(),
            TokenKind::QuotedName if self.text.starts_with('[') => inner().to_owned(),
            TokenKind::QuotedName | TokenKind::String => {
                let quote = &self.text[..1];
                inner().replace(&quote.repeat(2), quote)
            }
        }
    }

    /// Whether DEFAULT makes a string of this unquoted word. (`DEFAULT VALUES` belongs to INSERT.)
    fn is_text_by_default(&self) -> bool {
        let name = self.name();
        let is_number = name.starts_with(|c: char| c.is_ascii_digit());
        self.kind == TokenKind::Word && !is_number && !is_value(&name) && name != "values"
    }

    fn normal(&self) -> String {
        match self.kind {
            TokenKind::Word => self.text.to_ascii_lowercase(),
            TokenKind::String | TokenKind::Symbol => self.text.to_owned(),
            TokenKind::QuotedName => {
                let name = self.name();
                // DEFAULT "null" is not DEFAULT null.
                if is_plain(&name) && !is_value(&name) { name } else { in_quotes(&name) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(sql: &str) -> String {
        normal(&tokens(sql), &HashSet::from(["users", "id", "e_mail", "a", "ab", "a b", "a\"b"].map(str::to_owned)))
    }

    #[test]
    fn spaces_comments_quotes_and_case_make_no_difference() {
        let plain = normalized("create table users(id integer,e_mail text default 'A  b')");
        for sql in [
            "CREATE TABLE \"users\" (\n  [ID] INTEGER, -- the key;\n  `e_mail` TEXT DEFAULT 'A  b'\n)",
            "CREATE/* here */TABLE Users ( id INTEGER , e_mail TEXT DEFAULT 'A  b' )",
        ] {
            assert_eq!(normalized(sql), plain);
        }
    }

    #[test]
    fn different_meanings_have_different_normal_forms() {
        for (one, other) in [
            ("DEFAULT 'a'", "DEFAULT 'A'"),
            ("DEFAULT 'a b'", "DEFAULT 'a  b'"),
            ("DEFAULT \"null\"", "DEFAULT NULL"),
            ("DEFAULT 1", "DEFAULT '1'"),
            ("\"a b\"", "a b"),
            ("\"a\"\"b\"", "\"ab\""),
            ("'it''s'", "'its'"),
            ("DEFAULT Draft", "DEFAULT draft"),
            ("DEFAULT \"A\"", "DEFAULT \"a\""),
            ("DEFAULT [a]", "DEFAULT [A]"),
            ("DEFAULT x'00'", "DEFAULT x '00'"),
            ("CHECK (a = \"Open\")", "CHECK (a = \"open\")"),
            ("CHECK (a = \"b\")", "CHECK (a = b)"),
        ] {
            assert_ne!(normalized(one), normalized(other));
        }
    }

    #[test]
    fn a_name_where_only_a_string_makes_sense_is_one() {
        for (one, other) in [
            ("DEFAULT \"e_mail\"", "DEFAULT 'e_mail'"),
            ("DEFAULT [It's]", "DEFAULT 'It''s'"),
            ("DEFAULT Draft", "DEFAULT 'Draft'"),
            ("CHECK (a = \"Open\")", "check (A = 'Open')"),
            ("CONSTRAINT \"C\" CHECK (a)", "CONSTRAINT c CHECK (a)"),
            ("INSERT INTO users DEFAULT VALUES", "insert into users default values"),
            ("DEFAULT CURRENT_TIMESTAMP", "DEFAULT current_timestamp"),
        ] {
            assert_eq!(normalized(one), normalized(other));
        }
    }

    #[test]
    fn defaults_are_expressions() {
        for (text, expression) in [
            ("\"email\"", "'email'"),
            ("[It's]", "'It''s'"),
            ("Draft", "'Draft'"),
            ("'a'", "'a'"),
            ("\"null\"", "'null'"),
            ("true", "true"),
            ("CURRENT_DATE", "CURRENT_DATE"),
            ("-1.5", "-1.5"),
            ("0x1F", "0x1F"),
            ("x'00'", "x'00'"),
            ("1 + 1 -- two\n", "1 + 1"),
        ] {
            assert_eq!(default_expression(text), expression);
        }
    }

    #[test]
    fn names_are_found_in_any_quotes_and_not_in_parts_of_words() {
        let users = HashSet::from(["users".to_owned()]);
        for sql in ["SELECT 1 FROM Users", "SELECT [users].a FROM x", "SELECT \"USERS\".a", "FROM 'users'"] {
            assert!(mentions(sql, &users), "{sql}");
        }
        for sql in ["SELECT 1 FROM users2", "SELECT 1 -- users", "SELECT 'all users'"] {
            assert!(!mentions(sql, &users), "{sql}");
        }
    }

    #[test]
    fn unterminated_tokens_end_with_the_text() {
        for sql in ["'", "\"a", "[a", "/* a", "-- a", "a '", "`", "é\"ü"] {
            let tokens = tokens(sql);
            assert!(tokens.iter().all(|token| token.end() <= sql.len()), "{sql}");
            assert!(tokens.iter().all(|token| token.name().len() <= sql.len()), "{sql}");
        }
    }

    #[test]
    fn only_names_that_need_quotes_are_quoted() {
        for plain in ["users", "E_mail2", "_x"] {
            assert_eq!(quoted(plain), plain);
        }
        for (name, written) in [
            ("order", "\"order\""),
            ("Table", "\"Table\""),
            ("a b", "\"a b\""),
            ("2a", "\"2a\""),
            ("a\"b", "\"a\"\"b\""),
        ] {
            assert_eq!(quoted(name), written);
        }
    }

    #[test]
    fn sqlite_accepts_every_quoted_keyword_as_a_name() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for keyword in KEYWORDS.split_ascii_whitespace() {
            let name = quoted(keyword);
            db.execute_batch(&format!("CREATE TABLE {name} ({name} INTEGER); DROP TABLE {name}")).unwrap();
        }
    }
}
