//! The types that stand in URLs, where everything is text.

use std::num::IntErrorKind;

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, SchemaFormat};

use super::error::Fault;
use super::field::{Field, string};
use crate::json::Json;
use lanterne_database::Timestamp;

/// The id of a row. Every number is one, of a row that is there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub i64);

/// How many entries of a list to return: 1 to 200, or 50 if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub i64);

/// How many of something: 0 or more, 0 if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub i64);

/// Yes or no, in any of the words that pydantic takes for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub bool);

/// A point in time (RFC 3339); without a zone it is in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Timestamp);

/// A text to look for, no longer than what it is looked for in: 254 characters, an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(pub String);

impl Limit {
    const MIN: i64 = 1;
    const MAX: i64 = 200;
    const DEFAULT: i64 = 50;
}

impl Filter {
    const CHARS_MAX: usize = 254;
}

/// A whole number. Beyond 64 bits it is taken for the last one within, which breaks the same bounds.
fn integer(input: &Json) -> Result<i64, Fault> {
    string(input)?.parse().or_else(|error: std::num::ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => Ok(i64::MAX),
        IntErrorKind::NegOverflow => Ok(i64::MIN),
        _ => Err(Fault::NotAnInteger),
    })
}

fn integer_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

impl Field for Id {
    fn parse(input: &Json) -> Result<Self, Fault> {
        integer(input).map(Self)
    }

    fn schema() -> Object {
        integer_schema().examples([1]).build()
    }
}

impl Field for Limit {
    fn parse(input: &Json) -> Result<Self, Fault> {
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

impl Field for Count {
    fn parse(input: &Json) -> Result<Self, Fault> {
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
    fn parse(input: &Json) -> Result<Self, Fault> {
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
    fn parse(input: &Json) -> Result<Self, Fault> {
        Timestamp::parse(string(input)?).map(Self).ok_or(Fault::NotATime)
    }

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples(["2026-01-31T12:00:00Z"])
            .build()
    }
}

impl Field for Filter {
    fn parse(input: &Json) -> Result<Self, Fault> {
        let text = string(input)?;
        if text.chars().count() > Self::CHARS_MAX {
            return Err(Fault::TooLong(Self::CHARS_MAX));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(Self::CHARS_MAX))
            .examples(["example.com"])
            .build()
    }
}
