//! A lexer for SQL: enough to split a file into statements and a CREATE TABLE into columns, and to compare definitions.

/// The class of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword, an unquoted name or a number.
    Word,
    /// `"a"`, `` `a` `` or `[a]`
    QuotedName,
    /// `'text'`
    String,
    /// One character of anything else.
    Symbol,
}

/// A token; white space and comments are none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    /// As written.
    pub(crate) text: &'a str,
    /// Its offset in bytes.
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this character.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }
}

/// Splits `sql` into tokens.
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

/// The kind and the length in bytes of the first token of `sql`; white space and comments have no kind. An unterminated
/// string, name or comment extends to the end: reporting it is left to SQLite.
fn first_token(sql: &str) -> Option<(Option<TokenKind>, usize)> {
    let first = sql.chars().next()?;
    let through = |end: &str, from: usize| sql[from..].find(end).map_or(sql.len(), |found| from + found + end.len());
    let run = |is_in: fn(char) -> bool| sql.find(|c| !is_in(c)).unwrap_or(sql.len());
    Some(match first {
        _ if sql.starts_with("--") => (None, run(|c| c != '\n')),
        // At the end of a text SQLite takes `/*` for two operators.
        _ if sql.starts_with("/*") && sql.len() > 2 => (None, through("*/", 2)),
        // SQLite takes a vertical tab for white space only behind other white space.
        c if c.is_ascii_whitespace() => (None, run(|c| c.is_ascii_whitespace() || c == '\x0B')),
        // SQLite skips a byte order mark wherever a token can begin.
        '\u{FEFF}' => (None, first.len_utf8()),
        '\'' => (Some(TokenKind::String), quoted_length(sql, '\'')),
        '"' | '`' => (Some(TokenKind::QuotedName), quoted_length(sql, first)),
        '[' => (Some(TokenKind::QuotedName), through("]", 1)),
        c if is_in_word(c) => (Some(TokenKind::Word), run(is_in_word)),
        c => (Some(TokenKind::Symbol), c.len_utf8()),
    })
}

/// The length in bytes of the quoted text at the start of `sql`; a doubled quote stands for one.
fn quoted_length(sql: &str, quote: char) -> usize {
    let mut end = 1;
    while let Some(found) = sql[end..].find(quote) {
        end += found + 1;
        if !sql[end..].starts_with(quote) {
            return end;
        }
        end += 1;
    }
    sql.len()
}

/// SQLite allows every character beyond ASCII in an unquoted name.
fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}
