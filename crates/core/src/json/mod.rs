//! JSON as the original backend reads and writes it: Python's `json` module.
//!
//! In go the bytes of a request body, out comes a [`Json`] value or a [`ParseError`] whose text and position are
//! those of CPython, because both are part of the API's 422 replies. A general JSON crate reports other texts, counts
//! bytes instead of characters and rounds large integers, hence a parser of our own.

mod encoding;
mod number;
mod parse;
mod value;

pub use number::Number;
pub use parse::{NESTING_LEVELS_MAX, ParseError, SyntaxError, parse};
pub use value::Json;

#[cfg(test)]
mod tests;
