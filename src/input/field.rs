//! The types of fields, each with its rules. In a query and in a path every value is a string.

use std::num::IntErrorKind;

use lanterne_core::audit::Action;
use lanterne_core::email::Email;
use lanterne_core::secret::{NewPassword, PasswordLengthError, Secret};
use lanterne_database::Timestamp;
use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, SchemaFormat};

use super::fault::Fault;

/// The type of a field of a request.
pub(crate) trait Field: Sized {
    /// Whether a 422 must mask the value.
    const SECRET: bool = false;

    /// Parses a value.
    fn parse(input: &Value) -> Result<Self, Fault>;

    /// Returns the value of a field that is left out; `None` if it is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Returns the same rules as a JSON Schema.
    fn schema() -> Object;
}

/// An existing password: any string, since other rules may have applied when it was set.
#[derive(Clone, Debug)]
pub(crate) struct Password(pub(crate) Secret);

/// A token: any string, which is checked with its signature.
#[derive(Clone, Debug)]
pub(crate) struct Token(pub(crate) Secret);

/// A token of a message: any string, which is looked up by its hash.
#[derive(Clone, Debug)]
pub(crate) struct OneTimeToken(pub(crate) Secret);

/// The id of a row. Any integer is accepted; the row need not exist.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) i64);

/// The most entries of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(pub(crate) i64);

/// The number of entries to skip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offset(pub(crate) i64);

/// A boolean in any of pydantic's spellings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag(pub(crate) bool);

/// A time (RFC 3339), in UTC unless it has an offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Timestamp);

/// A text to search for, at most as long as an e-mail address.
#[derive(Clone, Debug)]
pub(crate) struct Search(pub(crate) String);

/// The name of an action of the audit log. Any text is accepted: an unknown name matches no row.
#[derive(Clone, Debug)]
pub(crate) struct ActionName(pub(crate) String);

impl Limit {
    const MIN: i64 = 1;
    const MAX: i64 = 200;
    const DEFAULT: i64 = 50;
}

impl Search {
    const CHARS_MAX: usize = 254;
}

/// Returns the text of a string. Like pydantic, converts nothing else.
fn string(input: &Value) -> Result<&str, Fault> {
    input.as_str().ok_or(Fault::NotAString)
}

/// Parses a decimal integer. Beyond 64 bits it saturates, and so breaks the same bounds.
fn integer(input: &Value) -> Result<i64, Fault> {
    string(input)?.parse().or_else(|error: std::num::ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => Ok(i64::MAX),
        IntErrorKind::NegOverflow => Ok(i64::MIN),
        _ => Err(Fault::NotAnInteger),
    })
}

fn text_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn format_schema(format: KnownFormat, example: &str) -> ObjectBuilder {
    text_schema().format(Some(SchemaFormat::KnownFormat(format))).examples([example])
}

fn integer_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

impl Field for Email {
    fn parse(input: &Value) -> Result<Self, Fault> {
        Self::parse(string(input)?).map_err(|reason| Fault::NotAnEmail(reason.to_string()))
    }

    fn schema() -> Object {
        format_schema(KnownFormat::Email, "user@example.com").build()
    }
}

impl Field for NewPassword {
    const SECRET: bool = true;

    fn parse(input: &Value) -> Result<Self, Fault> {
        Self::parse(string(input)?).map_err(|error| match error {
            PasswordLengthError::TooShort => Fault::TooShort(Self::CHARS_MIN),
            PasswordLengthError::TooLong => Fault::TooLong(Self::CHARS_MAX),
        })
    }

    fn schema() -> Object {
        let schema = format_schema(KnownFormat::Password, "securepassword123");
        schema.min_length(Some(Self::CHARS_MIN)).max_length(Some(Self::CHARS_MAX)).build()
    }
}

impl Field for Password {
    const SECRET: bool = true;

    fn parse(input: &Value) -> Result<Self, Fault> {
        string(input).map(|text| Self(Secret::new(text)))
    }

    fn schema() -> Object {
        format_schema(KnownFormat::Password, "securepassword123").build()
    }
}

impl Field for Token {
    const SECRET: bool = true;

    fn parse(input: &Value) -> Result<Self, Fault> {
        string(input).map(|text| Self(Secret::new(text)))
    }

    fn schema() -> Object {
        text_schema().examples(["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."]).build()
    }
}

impl Field for OneTimeToken {
    const SECRET: bool = true;

    fn parse(input: &Value) -> Result<Self, Fault> {
        string(input).map(|text| Self(Secret::new(text)))
    }

    fn schema() -> Object {
        text_schema().examples(["iKBjYGUTLG3KmtYBnYI8lRpyu1JBb5C6L1f0oz1nSWI"]).build()
    }
}

impl Field for bool {
    fn parse(input: &Value) -> Result<Self, Fault> {
        input.as_bool().ok_or(Fault::NotABool)
    }

    fn schema() -> Object {
        Object::with_type(Type::Boolean)
    }
}

impl Field for Id {
    fn parse(input: &Value) -> Result<Self, Fault> {
        integer(input).map(Self)
    }

    fn schema() -> Object {
        integer_schema().examples([1]).build()
    }
}

impl Field for Limit {
    fn parse(input: &Value) -> Result<Self, Fault> {
        match integer(input)? {
            ..Self::MIN => Err(Fault::TooSmall(Self::MIN)),
            limit @ Self::MIN..=Self::MAX => Ok(Self(limit)),
            _ => Err(Fault::TooLarge(Self::MAX)),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self(Self::DEFAULT))
    }

    fn schema() -> Object {
        integer_schema().minimum(Some(Self::MIN)).maximum(Some(Self::MAX)).default(Some(Self::DEFAULT.into())).build()
    }
}

impl Field for Offset {
    fn parse(input: &Value) -> Result<Self, Fault> {
        match integer(input)? {
            ..0 => Err(Fault::TooSmall(0)),
            count => Ok(Self(count)),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self(0))
    }

    fn schema() -> Object {
        integer_schema().minimum(Some(0)).default(Some(0.into())).build()
    }
}

impl Field for Flag {
    fn parse(input: &Value) -> Result<Self, Fault> {
        match string(input)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "t" | "y" | "yes" => Ok(Self(true)),
            "false" | "0" | "off" | "f" | "n" | "no" => Ok(Self(false)),
            _ => Err(Fault::NotAFlag),
        }
    }

    fn schema() -> Object {
        Object::with_type(Type::Boolean)
    }
}

impl Field for Time {
    fn parse(input: &Value) -> Result<Self, Fault> {
        Timestamp::parse(string(input)?).map(Self).ok_or(Fault::NotATime)
    }

    fn schema() -> Object {
        format_schema(KnownFormat::DateTime, "2026-01-31T12:00:00Z").build()
    }
}

impl Field for Search {
    fn parse(input: &Value) -> Result<Self, Fault> {
        let text = string(input)?;
        if text.chars().count() > Self::CHARS_MAX {
            return Err(Fault::TooLong(Self::CHARS_MAX));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Object {
        text_schema().max_length(Some(Self::CHARS_MAX)).examples(["example.com"]).build()
    }
}

impl Field for ActionName {
    fn parse(input: &Value) -> Result<Self, Fault> {
        Search::parse(input).map(|search| Self(search.0))
    }

    fn schema() -> Object {
        text_schema().max_length(Some(Search::CHARS_MAX)).examples([Action::LoginFailed.name()]).build()
    }
}

/// An optional field: left out and `null` mean the same.
impl<T: Field> Field for Option<T> {
    const SECRET: bool = T::SECRET;

    fn parse(input: &Value) -> Result<Self, Fault> {
        match input {
            Value::Null => Ok(None),
            value => T::parse(value).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema() -> Object {
        let mut object = T::schema();
        if let SchemaType::Type(only) = object.schema_type {
            object.schema_type = SchemaType::from_iter([only, Type::Null]);
        }
        object
    }
}
