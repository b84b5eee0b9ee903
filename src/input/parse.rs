//! Parsing the parts of a request, as FastAPI does.

use serde_json::Value;

use super::fault::{Fault, FieldError, Location};
use super::field::{Field, Id};
use super::request::{Part, Request};
use crate::error::Error;

/// Parses a body by its `Content-Type`. Without one it is JSON; with any other type than JSON it is a single string, which
/// is not an object.
///
/// # Errors
/// [`Error::UnreadableBody`] for text that is not UTF-8 or nested too deeply; [`Error::WrongContentType`] for text of a type
/// other than JSON; [`Error::Invalid`] with all other faults.
pub(crate) fn parse_body<T: Request>(content_type: Option<&[u8]>, body: &[u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::UnreadableBody)?;
    let content_type = content_type.unwrap_or_default().trim_ascii();
    if !text.is_empty() && !is_json(content_type) {
        return T::from_value(Part::Body, &Value::from(text)).map_err(Error::WrongContentType);
    }
    let value = match text {
        "" => Value::Null,
        // RFC 8259, section 8.1: a parser may ignore a byte order mark.
        _ => parse_json(text.strip_prefix('\u{FEFF}').unwrap_or(text), !content_type.is_empty())?,
    };
    T::from_value(Part::Body, &value).map_err(Error::Invalid)
}

/// Parses a query (URL Standard, "application/x-www-form-urlencoded parsing"). The last of several values counts, as in
/// FastAPI. An empty value counts as left out: a form sends it for a field that is not filled in.
///
/// # Errors
/// [`Error::Invalid`] with all faults.
pub(crate) fn parse_query<T: Request>(query: &str) -> Result<T, Error> {
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    let members = pairs.map(|(name, value)| (name.into_owned(), Value::from(value)));
    T::from_value(Part::Query, &Value::Object(members.collect())).map_err(Error::Invalid)
}

/// Parses the segment of a path that stands for the id `name`.
///
/// # Errors
/// [`Error::Invalid`] if it is not an integer.
pub(crate) fn parse_id(name: &'static str, segment: &str) -> Result<i64, Error> {
    let input = Value::from(segment);
    let id = Id::parse(&input).map(|id| id.0);
    id.map_err(|fault| Error::Invalid(vec![fault.at(vec![Part::Path.location(), Location::Name(name)], input)]))
}

/// Returns whether this is `application/json` or `application/*+json`, with any parameters, or empty.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    match essence.strip_prefix(b"application/") {
        Some(subtype) => !subtype.contains(&b'/') && (subtype == b"json" || subtype.ends_with(b"+json")),
        None => content_type.is_empty(),
    }
}

/// Parses a body that is JSON by its `Content-Type`, or because it has none.
fn parse_json(text: &str, has_content_type: bool) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // serde_json stops at 128 levels, and has no other way to tell.
        if message.starts_with("recursion limit exceeded") {
            return Error::UnreadableBody;
        }
        let hint = if has_content_type { "" } else { " (without a Content-Type, a body is read as JSON)" };
        let message = format!("{}{hint}", message.split(" at line ").next().unwrap_or_default());
        Error::Invalid(vec![syntax_error(message, offset(text, error.line(), error.column()))])
    })
}

/// Returns the fault of a body that is not JSON. FastAPI shows an empty object in place of the body.
fn syntax_error(message: String, offset: usize) -> FieldError {
    Fault::NotJson(message)
        .at(vec![Part::Body.location(), Location::Character(offset)], Value::Object(Default::default()))
}

/// Converts a line and a column of bytes, both from 1, to an offset of characters from 0.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let byte = line_start + column.saturating_sub(1);
    text.char_indices().take_while(|(at, _)| *at < byte).count()
}

#[cfg(test)]
mod tests {
    use super::{is_json, offset};

    #[test]
    fn content_types_are_json_as_in_fastapi() {
        let json =
            ["", "application/json", "Application/JSON ; charset=x", "application/ld+json;a=b", "application/+json"];
        let other =
            ["text/plain", "application/jsonx", "application/x-json", "text/json", "application/a/json", ";", "json"];
        for content_type in json {
            assert!(is_json(content_type.as_bytes()), "{content_type:?}");
        }
        for content_type in other {
            assert!(!is_json(content_type.as_bytes()), "{content_type:?}");
        }
    }

    #[test]
    fn an_offset_counts_characters() {
        assert_eq!(offset("é\n{\"ü\" x", 2, 7), 7);
        assert_eq!(offset("", 1, 0), 0);
    }
}
