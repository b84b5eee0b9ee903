//! The types a field can have, each with all its rules.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, SchemaFormat};

use super::error::Fault;
use crate::email::Email;
use crate::json::Json;

/// A type that a field of a request can have: how it is read, and how the OpenAPI document describes it.
pub trait Field: Sized {
    /// Whether a reply must not repeat what was sent for it.
    const SECRET: bool = false;

    /// The value, or the first thing that is wrong with it.
    fn parse(input: &Json) -> Result<Self, Fault>;

    /// The value when the field is left out, if it may be.
    fn absent() -> Option<Self> {
        None
    }

    /// The same rules as JSON Schema.
    fn schema() -> Object;
}

/// The text of a string; pydantic converts nothing else to one.
pub(super) fn string(input: &Json) -> Result<&str, Fault> {
    match input {
        Json::String(text) => Ok(text),
        _ => Err(Fault::NotAString),
    }
}

impl Field for Email {
    fn parse(input: &Json) -> Result<Self, Fault> {
        Self::parse(string(input)?).map_err(|reason| Fault::NotAnEmail(reason.to_string()))
    }

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .examples(["user@example.com"])
            .build()
    }
}

impl Field for bool {
    fn parse(input: &Json) -> Result<Self, Fault> {
        match input {
            Json::Bool(value) => Ok(*value),
            _ => Err(Fault::NotABool),
        }
    }

    fn schema() -> Object {
        Object::with_type(Type::Boolean)
    }
}

/// A field that may be left out or be `null`, which mean the same.
impl<T: Field> Field for Option<T> {
    const SECRET: bool = T::SECRET;

    fn parse(input: &Json) -> Result<Self, Fault> {
        match input {
            Json::Null => Ok(None),
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
