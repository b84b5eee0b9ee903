//! The grammar of python-dotenv 1.2.4. The Python server read `.env` with that library.

/// Characters that a backslash escapes in double quotes, and what they stand for.
const ESCAPES: [(char, char); 10] = [
    ('\\', '\\'),
    ('\'', '\''),
    ('"', '"'),
    ('a', '\x07'),
    ('b', '\x08'),
    ('f', '\x0C'),
    ('n', '\n'),
    ('r', '\r'),
    ('t', '\t'),
    ('v', '\x0B'),
];

/// A statement with a name: usually a line, but quoted values may contain line breaks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    /// The number of its first line, from 1.
    pub(super) line: usize,
    /// The whole statement.
    pub(super) text: &'a str,
    pub(super) name: &'a str,
    /// The value, without interpolation.
    pub(super) value: Value,
}

/// The right side of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The statement has neither a value nor a `=`.
    Absent,
    /// A text.
    Text(String),
    /// A quote is not closed, or something follows the value.
    Unreadable,
}

/// Iterates over the statements of a file. Skips comments, and what does not begin with a name.
pub(super) fn statements(text: &str) -> impl Iterator<Item = Statement<'_>> {
    let mut reader = Reader { text, rest: text };
    std::iter::from_fn(move || {
        loop {
            reader.skip(is_space);
            if reader.rest.is_empty() {
                return None;
            }
            let start = reader.rest;
            let read = reader.statement();
            if let Some((name, value)) = read {
                let line = 1 + newlines(&reader.text[..text.len() - start.len()]);
                return Some(Statement { line, text: &start[..start.len() - reader.rest.len()], name, value });
            }
        }
    })
}

/// Counts line breaks: `\n`, `\r\n` or `\r`.
fn newlines(text: &str) -> usize {
    text.matches('\n').count() + text.matches('\r').count() - text.matches("\r\n").count()
}

/// White space as in Python, which counts four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1C'..='\x1F')
}

fn is_newline(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

fn is_blank(c: char) -> bool {
    is_space(c) && !is_newline(c)
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Reads a statement with its line break. `None` if it has no name.
    fn statement(&mut self) -> Option<(&'a str, Value)> {
        if let Some(rest) = self.rest.strip_prefix("export").filter(|rest| rest.starts_with(is_blank)) {
            self.rest = rest.trim_start_matches(is_blank);
        }
        let name = self.name();
        let value = name.and_then(|_| self.value());
        if name.is_some() && value.is_some() {
            self.comment();
            self.skip(is_blank);
        }
        let is_complete = value.is_some() && (self.rest.is_empty() || self.rest.starts_with(is_newline));
        self.take(|c| !is_newline(c));
        self.rest = self.rest.strip_prefix("\r\n").or(self.rest.strip_prefix(is_newline)).unwrap_or(self.rest);
        Some((name?, value.filter(|_| is_complete).unwrap_or(Value::Unreadable)))
    }

    /// Reads a name, which may be in single quotes.
    fn name(&mut self) -> Option<&'a str> {
        if let Some(quoted) = self.rest.strip_prefix('\'') {
            let (name, rest) = quoted.split_once('\'').filter(|(name, _)| !name.is_empty())?;
            self.rest = rest;
            return Some(name);
        }
        let name = self.take(|c| c != '=' && c != '#' && !is_space(c));
        (!name.is_empty()).then_some(name)
    }

    /// Reads `=` and a value. `None` if a quote is not closed.
    fn value(&mut self) -> Option<Value> {
        self.skip(is_blank);
        let Some(rest) = self.rest.strip_prefix('=') else { return Some(Value::Absent) };
        self.rest = rest;
        let is_separated = !self.take(is_blank).is_empty();
        let text = match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            Some('#') if is_separated => String::new(),
            _ => without_comment(self.take(|c| !is_newline(c))).to_owned(),
        };
        Some(Value::Text(text))
    }

    /// Reads a quoted value. `None` if the quote is not closed.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let rest = &self.rest[1..];
        let mut is_escaped = false;
        let end = rest.find(|c| {
            let is_end = c == quote && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        })?;
        self.rest = &rest[end + 1..];
        // Python reads a file with any line breaks as one with `\n`.
        let text = rest[..end].replace("\r\n", "\n").replace('\r', "\n");
        let mut value = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let escape = |letter: char| {
                let is_escape = quote == '"' || matches!(letter, '\\' | '\'');
                ESCAPES.iter().find(|(known, _)| is_escape && *known == letter)
            };
            match characters.clone().next().filter(|_| character == '\\').and_then(escape) {
                Some((_, escaped)) => {
                    value.push(*escaped);
                    characters.next();
                }
                None => value.push(character),
            }
        }
        Some(value)
    }

    fn comment(&mut self) {
        if self.rest.trim_start_matches(is_blank).starts_with('#') {
            self.take(|c| !is_newline(c));
        }
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.take(is_skipped);
    }

    /// Takes characters from the front.
    fn take(&mut self, is_taken: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(|c| !is_taken(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// Cuts off a comment, which white space must precede, and white space at the end.
fn without_comment(value: &str) -> &str {
    let comment = value.match_indices('#').find(|(at, _)| value[..*at].ends_with(is_space));
    value[..comment.map_or(value.len(), |(at, _)| at)].trim_end_matches(is_space)
}
