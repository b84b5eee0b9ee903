//! From bytes to a [`Json`] value, with the error texts and positions of CPython's `json.loads`.

use indexmap::IndexMap;

use super::encoding;
use super::number::{self, Number, NumberFault};
use super::value::Json;

/// Arrays and objects may be nested this deep. Python stops near 950, wherever its stack stands; here the bound keeps
/// the recursion of parsing, writing and dropping a value small beside the stack of a WebAssembly instance.
pub const NESTING_LEVELS_MAX: usize = 500;

/// Why a body is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not text in any Unicode encoding, nested too deep, or an absurdly long integer: where Python's `json.loads`
    /// raises something other than `JSONDecodeError`.
    #[error("the body cannot be read as JSON")]
    Unreadable,
    /// The text breaks the JSON grammar.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

/// Where and how a text breaks the JSON grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: character {position}")]
pub struct SyntaxError {
    /// CPython's wording.
    pub message: &'static str,
    /// The character, counted in code points from zero.
    pub position: usize,
}

/// Reads one JSON value, and nothing but white space around it.
///
/// Stricter than Python in one point: `NaN`, `Infinity`, floats beyond the range of a double and halves of surrogate
/// pairs are errors (RFC 8259), because no reply could echo them.
pub fn parse(bytes: &[u8]) -> Result<Json, ParseError> {
    let text = encoding::decode(bytes).ok_or(ParseError::Unreadable)?;
    let mut parser = Parser { text: &text, at: 0, depth: 0 };
    parser.skip_space();
    let value = parser.value()?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("Extra data", parser.at)),
    }
}

/// A cursor over the text. `at` is a byte offset, always on a character boundary.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Json, ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, ParseError>) -> Result<Json, ParseError> {
        if self.depth == NESTING_LEVELS_MAX {
            return Err(ParseError::Unreadable);
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Json, ParseError> {
        let mut members = IndexMap::new();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("Expecting property name enclosed in double quotes", self.at));
            }
            let name = self.string()?;
            self.skip_space();
            self.expect(b':', "Expecting ':' delimiter")?;
            let value = self.value()?;
            members.insert(name, value);
            self.skip_space();
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            self.expect(b',', "Expecting ',' delimiter")?;
        }
    }

    fn array(&mut self) -> Result<Json, ParseError> {
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',', "Expecting ',' delimiter")?;
        }
    }

    // What is not nested stays out of the frame of `value`, which is on the stack once for each level.
    #[inline(never)]
    fn literal(&mut self) -> Result<Json, ParseError> {
        let literals = [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))];
        for (word, value) in literals {
            if self.eat_str(word) {
                return Ok(value);
            }
        }
        Err(self.error("Expecting value", self.at))
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Json, ParseError> {
        let length = number::length(self.rest());
        let number = Number::parse(&self.rest()[..length]).map_err(|fault| match fault {
            NumberFault::NoDigits => self.error("Expecting value", self.at),
            NumberFault::OutOfRange => self.error("Number out of range", self.at),
            NumberFault::TooLong => ParseError::Unreadable,
        })?;
        self.at += length;
        Ok(Json::Number(number))
    }

    #[inline(never)]
    fn string(&mut self) -> Result<String, ParseError> {
        let quote = self.at;
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1F')).unwrap_or(rest.len());
            string.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') if self.at + 1 < self.text.len() => string.push(self.escape()?),
                None | Some(b'\\') => return Err(self.error("Unterminated string starting at", quote)),
                Some(_) => return Err(self.error("Invalid control character at", self.at)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let backslash = self.at;
        self.at += 1;
        let character = match self.peek() {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0C',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(backslash);
            }
            _ => return Err(self.error("Invalid \\escape", backslash)),
        };
        self.at += 1;
        Ok(character)
    }

    /// `\uXXXX`, or two of them that make one character outside the basic plane.
    fn unicode_escape(&mut self, backslash: usize) -> Result<char, ParseError> {
        let first = self.code_unit()?;
        let second =
            if matches!(first, 0xD800..=0xDBFF) && self.eat_str("\\u") { Some(self.code_unit()?) } else { None };
        match char::decode_utf16([first].into_iter().chain(second)).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(self.error("Unpaired surrogate in \\uXXXX escape", backslash)),
        }
    }

    /// The four hexadecimal digits after a `\u`. Like CPython, it wants something behind them.
    fn code_unit(&mut self) -> Result<u16, ParseError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|_| self.at + 4 < self.text.len());
        let unit = digits.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = unit.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let unit = unit.ok_or_else(|| self.error("Invalid \\uXXXX escape", self.at - 1))?;
        self.at += 4;
        Ok(unit)
    }

    /// Eats the delimiter and the white space after it.
    fn expect(&mut self, delimiter: u8, message: &'static str) -> Result<(), ParseError> {
        if !self.eat(delimiter) {
            return Err(self.error(message, self.at));
        }
        self.skip_space();
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn eat_str(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, message: &'static str, at: usize) -> ParseError {
        ParseError::Syntax(SyntaxError { message, position: self.text[..at].chars().count() })
    }
}
