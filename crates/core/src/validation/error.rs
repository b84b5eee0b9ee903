//! The entries of a 422 reply, as pydantic writes them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::json::Json;

/// One fault of a request: an entry of `detail`.
// The order of the fields is FastAPI's.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValidationError)]
pub struct FieldError {
    /// pydantic's name for the kind of fault, for programs.
    #[schema(examples("missing", "string_too_short"))]
    pub r#type: &'static str,
    /// Where it is: the part of the request, then the field.
    #[schema(inline, examples(json!(["body", "email"])))]
    pub loc: Vec<Location>,
    /// The fault in a sentence, for people.
    #[schema(examples("Field required"))]
    pub msg: String,
    /// What was sent, without what is secret in it.
    #[schema(value_type = serde_json::Value, examples(json!({})))]
    pub input: Json,
    /// The particulars of the fault, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, examples(json!({"min_length": 8})))]
    pub ctx: Option<Context>,
}

/// A step on the way to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Location {
    /// A part of the request or a field.
    Name(&'static str),
    /// A character of the text, counted from zero.
    Character(usize),
}

/// The particulars of a fault. Serialises as an object with one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// The least number of characters.
    MinLength(usize),
    /// The greatest number of characters.
    MaxLength(usize),
    /// Why the value is refused.
    Reason(String),
    /// What is wrong with the text of a value.
    Error(&'static str),
    /// The least number.
    Ge(i64),
    /// The greatest number.
    Le(i64),
}

/// What can be wrong with a value, in pydantic's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A field, or the whole body, is absent.
    #[error("Field required")]
    Missing,
    /// The body is no JSON object.
    #[error("Input should be a valid dictionary or object to extract fields from")]
    NotAnObject,
    /// The body is no JSON text.
    #[error("JSON decode error")]
    NotJson(&'static str),
    /// Not a string.
    #[error("Input should be a valid string")]
    NotAString,
    /// Not `true` or `false`.
    #[error("Input should be a valid boolean")]
    NotABool,
    /// Fewer characters than allowed.
    #[error("String should have at least {0} characters")]
    TooShort(usize),
    /// More characters than allowed.
    #[error("String should have at most {0} characters")]
    TooLong(usize),
    /// Not an e-mail address, for this reason.
    #[error("value is not a valid email address: {0}")]
    NotAnEmail(String),
    /// A text that spells no whole number.
    #[error("Input should be a valid integer, unable to parse string as an integer")]
    NotAnInteger,
    /// A text that spells neither `true` nor `false`.
    #[error("Input should be a valid boolean, unable to interpret input")]
    NotAFlag,
    /// A text that spells no point in time.
    #[error("Input should be a valid datetime, such as 2026-01-31T12:00:00Z")]
    NotATime,
    /// A smaller number than allowed.
    #[error("Input should be greater than or equal to {0}")]
    TooSmall(i64),
    /// A greater number than allowed.
    #[error("Input should be less than or equal to {0}")]
    TooLarge(i64),
}

impl Fault {
    /// The entry for this fault at a place.
    pub fn at(self, loc: Vec<Location>, input: Json) -> FieldError {
        FieldError { r#type: self.kind(), loc, msg: self.to_string(), input, ctx: self.context() }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotAnObject => "model_attributes_type",
            Self::NotJson(_) => "json_invalid",
            Self::NotAString => "string_type",
            Self::NotABool => "bool_type",
            Self::TooShort(_) => "string_too_short",
            Self::TooLong(_) => "string_too_long",
            Self::NotAnEmail(_) => "value_error",
            Self::NotAnInteger => "int_parsing",
            Self::NotAFlag => "bool_parsing",
            Self::NotATime => "datetime_parsing",
            Self::TooSmall(_) => "greater_than_equal",
            Self::TooLarge(_) => "less_than_equal",
        }
    }

    fn context(self) -> Option<Context> {
        match self {
            Self::Missing
            | Self::NotAnObject
            | Self::NotAString
            | Self::NotABool
            | Self::NotAnInteger
            | Self::NotAFlag => None,
            Self::NotATime => Some(Context::Error("not a time of RFC 3339")),
            Self::TooSmall(min) => Some(Context::Ge(min)),
            Self::TooLarge(max) => Some(Context::Le(max)),
            Self::NotJson(error) => Some(Context::Error(error)),
            Self::TooShort(chars_min) => Some(Context::MinLength(chars_min)),
            Self::TooLong(chars_max) => Some(Context::MaxLength(chars_max)),
            Self::NotAnEmail(reason) => Some(Context::Reason(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Location};
    use crate::json::Json;

    #[test]
    fn an_entry_has_fastapis_shape_and_order() {
        let written = |fault: Fault| {
            let loc = vec![Location::Name("body"), Location::Name("age"), Location::Character(3)];
            serde_json::to_string(&fault.at(loc, Json::Null)).unwrap()
        };
        assert_eq!(
            written(Fault::Missing),
            r#"{"type":"missing","loc":["body","age",3],"msg":"Field required","input":null}"#
        );
        let contexts = [
            (Fault::TooShort(2), r#""ctx":{"min_length":2}"#),
            (Fault::TooLong(9), r#""ctx":{"max_length":9}"#),
            (Fault::NotAnEmail("No.".to_owned()), r#""ctx":{"reason":"No."}"#),
            (Fault::NotJson("Extra data"), r#""ctx":{"error":"Extra data"}"#),
            (Fault::TooSmall(1), r#""ctx":{"ge":1}"#),
            (Fault::TooLarge(200), r#""ctx":{"le":200}"#),
        ];
        for (fault, context) in contexts {
            assert!(written(fault.clone()).ends_with(&format!("{context}}}")), "{fault:?}");
        }
    }
}
