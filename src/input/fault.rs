//! The faults of a request, as the entries of a 422 in the format of pydantic.

use lanterne_core::blocklist::GuessablePassword;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::redaction::MASK;
use super::request::Part;

/// A fault of a request.
// The fields are in FastAPI's order.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValidationError)]
pub(crate) struct FieldError {
    /// The kind of fault, as pydantic names it.
    #[schema(examples("missing", "string_too_short"))]
    pub(crate) r#type: &'static str,
    /// The part of the request, then the field.
    #[schema(inline, examples(json!(["body", "email"])))]
    pub(crate) loc: Vec<Location>,
    /// A human-readable message.
    #[schema(examples("Field required"))]
    pub(crate) msg: String,
    /// What was sent, with secrets masked.
    #[schema(examples(json!({})))]
    pub(crate) input: Value,
    /// The parameters of the fault, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, examples(json!({"min_length": 8})))]
    pub(crate) ctx: Option<Context>,
}

/// A step of the path to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Location {
    /// A part of the request, or a field.
    Name(&'static str),
    /// The offset of a character.
    Character(usize),
}

/// The parameters of a fault: an object with one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Context {
    MinLength(usize),
    MaxLength(usize),
    Reason(String),
    Error(String),
    Ge(i64),
    Le(i64),
}

/// What is wrong with a value, in the words of pydantic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("Field required")]
    Missing,
    #[error("Input should be a valid dictionary or object to extract fields from")]
    NotAnObject,
    /// With the parser's message.
    #[error("JSON decode error")]
    NotJson(String),
    #[error("Input should be a valid string")]
    NotAString,
    #[error("Input should be a valid boolean")]
    NotABool,
    #[error("String should have at least {0} characters")]
    TooShort(usize),
    #[error("String should have at most {0} characters")]
    TooLong(usize),
    /// With the reason.
    #[error("value is not a valid email address: {0}")]
    NotAnEmail(String),
    #[error("Input should be a valid integer, unable to parse string as an integer")]
    NotAnInteger,
    #[error("Input should be a valid boolean, unable to interpret input")]
    NotAFlag,
    #[error("Input should be a valid datetime, such as 2026-01-31T12:00:00Z")]
    NotATime,
    #[error("Input should be greater than or equal to {0}")]
    TooSmall(i64),
    #[error("Input should be less than or equal to {0}")]
    TooLarge(i64),
    /// A password that many would guess, with the reason.
    #[error("Value error, {0}")]
    GuessablePassword(GuessablePassword),
}

/// Returns the fault of a new password in the field `name` of the body.
pub(crate) fn refused_password(name: &'static str, reason: GuessablePassword) -> FieldError {
    Fault::GuessablePassword(reason).at(vec![Part::Body.location(), Location::Name(name)], MASK.into())
}

impl Fault {
    /// Returns the entry for this fault at `loc`.
    pub(crate) fn at(self, loc: Vec<Location>, input: Value) -> FieldError {
        let msg = self.to_string();
        let (r#type, ctx) = match self {
            Self::Missing => ("missing", None),
            Self::NotAnObject => ("model_attributes_type", None),
            Self::NotJson(message) => ("json_invalid", Some(Context::Error(message))),
            Self::NotAString => ("string_type", None),
            Self::NotABool => ("bool_type", None),
            Self::TooShort(chars_min) => ("string_too_short", Some(Context::MinLength(chars_min))),
            Self::TooLong(chars_max) => ("string_too_long", Some(Context::MaxLength(chars_max))),
            Self::NotAnEmail(reason) => ("value_error", Some(Context::Reason(reason))),
            Self::NotAnInteger => ("int_parsing", None),
            Self::NotAFlag => ("bool_parsing", None),
            Self::NotATime => ("datetime_parsing", Some(Context::Error("not a time of RFC 3339".to_owned()))),
            Self::TooSmall(min) => ("greater_than_equal", Some(Context::Ge(min))),
            Self::GuessablePassword(reason) => ("value_error", Some(Context::Error(reason.to_string()))),
            Self::TooLarge(max) => ("less_than_equal", Some(Context::Le(max))),
        };
        FieldError { r#type, loc, msg, input, ctx }
    }
}
