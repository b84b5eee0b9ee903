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

fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes a string literal: `'users'`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns a text that is equal for all spellings of `tokens`.
pub(crate) fn normal(tokens: &[Token<'_>]) -> String {
    tokens.iter().map(Token::normal).collect::<Vec<_>>().join(" ")
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
        // Empty if the closing quote is missing.
        let inner = || self.text.get(1..self.text.len() - 1).unwrap_or_default();
        let name = match self.kind {
            TokenKind::Word | TokenKind::Symbol => self.text.to_owned(),
            TokenKind::QuotedName if self.text.starts_with('[') => inner().to_owned(),
            TokenKind::QuotedName | TokenKind::String => {
                let quote = &self.text[..1];
                inner().replace(&quote.repeat(2), quote)
            }
        };
        name.to_ascii_lowercase()
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
        normal(&tokens(sql))
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
        ] {
            assert_ne!(normalized(one), normalized(other));
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
