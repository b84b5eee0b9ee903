//! Declaring a body or a query as a struct whose field types state the rules.

use serde_json::{Map, Value};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};

use super::fault::{Fault, FieldError, Location};
use super::field::Field;
use super::redaction;

/// A body or a query. Implemented by [`request!`].
pub(crate) trait Request: Sized {
    /// The fields, in their order.
    const RULES: &'static [FieldRule];

    /// Parses `value`; unknown members are ignored.
    ///
    /// # Errors
    /// All faults, in the order of the fields.
    fn from_value(part: Part, value: &Value) -> Result<Self, Vec<FieldError>>;

    /// Returns the fields for the OpenAPI document, in their order.
    fn fields() -> Vec<FieldSchema>;
}

/// A part of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Body,
    Query,
    Path,
}

impl Part {
    /// Returns the first step of a fault's location.
    pub(super) fn location(self) -> Location {
        Location::Name(match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        })
    }
}

/// A field in the OpenAPI document.
pub(crate) struct FieldSchema {
    pub(crate) name: &'static str,
    /// Includes the description.
    pub(crate) schema: Object,
    pub(crate) is_optional: bool,
}

impl FieldSchema {
    /// Builds the schema of a field of type `T`, described by the lines of a doc comment.
    pub(crate) fn new<T: Field>(name: &'static str, description: &[&str]) -> Self {
        let mut schema = T::schema();
        schema.description = Some(join(description));
        Self { name, schema, is_optional: T::absent().is_some() }
    }
}

/// The name of a field, and whether a 422 must mask it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldRule {
    pub(crate) name: &'static str,
    pub(crate) secret: bool,
}

/// Parses the fields of an object and collects their faults.
pub(crate) struct FieldReader<'a> {
    part: Part,
    value: &'a Value,
    members: &'a Map<String, Value>,
    rules: &'static [FieldRule],
    faults: Vec<FieldError>,
}

impl<'a> FieldReader<'a> {
    /// Starts reading `value`.
    ///
    /// # Errors
    /// It is not an object.
    pub(crate) fn new(part: Part, value: &'a Value, rules: &'static [FieldRule]) -> Result<Self, Vec<FieldError>> {
        let fault = match value {
            Value::Object(members) => return Ok(Self { part, value, members, rules, faults: Vec::new() }),
            Value::Null => Fault::Missing,
            _ => Fault::NotAnObject,
        };
        Err(vec![fault.at(vec![part.location()], redaction::redact(value, rules))])
    }

    /// Parses a field; a fault is kept for [`Self::into_faults`].
    pub(crate) fn field<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let rule = FieldRule { name, secret: T::SECRET };
        let (fault, input) = match self.members.get(name) {
            Some(value) => match T::parse(value) {
                Ok(value) => return Some(value),
                Err(fault) => (fault, redaction::redact_field(value, &rule, self.rules)),
            },
            None => match T::absent() {
                Some(value) => return Some(value),
                None => (Fault::Missing, redaction::redact(self.value, self.rules)),
            },
        };
        self.faults.push(fault.at(vec![self.part.location(), Location::Name(name)], input));
        None
    }

    /// Returns the faults of all fields read so far.
    pub(crate) fn into_faults(self) -> Vec<FieldError> {
        self.faults
    }
}

/// Builds the JSON Schema of an object, described by the lines of a doc comment.
pub(crate) fn object_schema(description: &[&str], fields: Vec<FieldSchema>) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().schema_type(Type::Object).description(Some(join(description)));
    for FieldSchema { name, schema, is_optional } in fields {
        object = object.property(name, schema);
        if !is_optional {
            object = object.required(name);
        }
    }
    RefOr::T(Schema::Object(object.build()))
}

fn join(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}

/// Declares a body or a query: a struct with [`Request`] and `ToSchema`.
///
/// Doc comments become descriptions in the OpenAPI document:
///
/// ```ignore
/// request! {
///     /// A new password.
///     pub(crate) struct ResetRequest {
///         /// Replaces the former password.
///         pub(crate) password: NewPassword,
///     }
/// }
/// ```
macro_rules! request {
    (
        $(#[doc = $about:literal])*
        $visibility:vis struct $name:ident {
            $($(#[doc = $field_about:literal])* $field_visibility:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        $visibility struct $name {
            $($(#[doc = $field_about])* $field_visibility $field: $type,)*
        }

        impl $crate::input::Request for $name {
            const RULES: &'static [$crate::input::FieldRule] = &[$($crate::input::FieldRule {
                name: stringify!($field),
                secret: <$type as $crate::input::Field>::SECRET,
            },)*];

            fn from_value(
                part: $crate::input::Part,
                value: &serde_json::Value,
            ) -> Result<Self, Vec<$crate::input::FieldError>> {
                let mut reader = $crate::input::FieldReader::new(part, value, Self::RULES)?;
                $(let $field = reader.field::<$type>(stringify!($field));)*
                match ($($field,)*) {
                    ($(Some($field),)*) => Ok(Self { $($field,)* }),
                    _ => Err(reader.into_faults()),
                }
            }

            fn fields() -> Vec<$crate::input::FieldSchema> {
                vec![$($crate::input::FieldSchema::new::<$type>(stringify!($field), &[$($field_about),*]),)*]
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::input::object_schema(&[$($about),*], <Self as $crate::input::Request>::fields())
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

pub(crate) use request;
