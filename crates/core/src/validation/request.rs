//! Writing a part of a request as a struct whose fields say their rules by their types.

use indexmap::IndexMap;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};

use super::error::{Fault, FieldError, Location};
use super::field::Field;
use super::redaction;
use crate::json::Json;

/// A request's body, or its query. Implemented by [`request!`](crate::request).
pub trait Request: Sized {
    /// The fields in their order.
    const RULES: &'static [FieldRule];

    /// The part of a request, or everything that is wrong with it, in the order of the fields. Unknown members are
    /// ignored.
    fn from_json(part: Part, value: &Json) -> Result<Self, Vec<FieldError>>;

    /// The fields as the OpenAPI document has them, in their order.
    fn fields() -> Vec<FieldSchema>;
}

/// Which part of a request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Behind the headers.
    Body,
    /// Behind the question mark.
    Query,
    /// Between two slashes.
    Path,
}

impl Part {
    /// Its name in a fault.
    pub(super) fn location(self) -> Location {
        Location::Name(match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        })
    }
}

/// A field as the OpenAPI document has it.
pub struct FieldSchema {
    /// Its name.
    pub name: &'static str,
    /// What it may hold, with a description.
    pub schema: Object,
    /// Whether it may be left out.
    pub is_optional: bool,
}

impl FieldSchema {
    /// The field `name` of the type `T`, described by the lines of a doc comment.
    pub fn new<T: Field>(name: &'static str, about: &[&str]) -> Self {
        let mut schema = T::schema();
        schema.description = Some(joined(about));
        Self { name, schema, is_optional: T::absent().is_some() }
    }
}

/// What is known of a field without its value.
#[derive(Clone, Copy, Debug)]
pub struct FieldRule {
    /// Its name in JSON.
    pub name: &'static str,
    /// Whether a reply must not repeat it.
    pub secret: bool,
}

/// Reads the fields of a part one after the other and gathers their faults.
pub struct Reader<'a> {
    part: Part,
    value: &'a Json,
    members: &'a IndexMap<String, Json>,
    rules: &'static [FieldRule],
    faults: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    /// A reader of a part, which must be an object.
    pub fn new(part: Part, value: &'a Json, rules: &'static [FieldRule]) -> Result<Self, Vec<FieldError>> {
        let fault = match value {
            Json::Object(members) => return Ok(Self { part, value, members, rules, faults: Vec::new() }),
            Json::Null => Fault::Missing,
            _ => Fault::NotAnObject,
        };
        Err(vec![fault.at(vec![part.location()], redaction::of_value(value, rules))])
    }

    /// The value of a field, or nothing if it is faulty, which [`Self::faults`] tells in the end.
    pub fn field<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let rule = FieldRule { name, secret: T::SECRET };
        let (fault, input) = match self.members.get(name) {
            Some(value) => match T::parse(value) {
                Ok(value) => return Some(value),
                Err(fault) => (fault, redaction::of_field(value, &rule, self.rules)),
            },
            None => match T::absent() {
                Some(value) => return Some(value),
                None => (Fault::Missing, redaction::of_value(self.value, self.rules)),
            },
        };
        self.faults.push(fault.at(vec![self.part.location(), Location::Name(name)], input));
        None
    }

    /// The faults of the fields read so far.
    pub fn faults(self) -> Vec<FieldError> {
        self.faults
    }
}

/// The JSON Schema of an object with these fields, described by the lines of a doc comment.
pub fn object_schema(about: &[&str], fields: Vec<FieldSchema>) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().schema_type(Type::Object).description(Some(joined(about)));
    for FieldSchema { name, schema, is_optional } in fields {
        object = object.property(name, schema);
        if !is_optional {
            object = object.required(name);
        }
    }
    RefOr::T(Schema::Object(object.build()))
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}

/// Declares a request's body or query: the struct with its [`Request`], `PartialSchema` and `ToSchema`.
///
/// A field is one line; its type implements [`Field`] and so says how the value is checked, what a 422 reply says and
/// what the OpenAPI document shows. Doc comments become the descriptions there.
///
/// ```
/// use lanterne_core::validation::{NewPassword, parse_body};
///
/// lanterne_core::request! {
///     /// What a forgetful person sends.
///     pub struct ResetRequest {
///         /// The password to use from now on.
///         pub password: NewPassword,
///     }
/// }
///
/// let request: ResetRequest = parse_body(None, br#"{"password": "correct horse"}"#)?;
/// assert_eq!(request.password.expose(), "correct horse");
/// # Ok::<(), lanterne_core::validation::BodyError>(())
/// ```
#[macro_export]
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

        impl $crate::validation::Request for $name {
            const RULES: &'static [$crate::validation::FieldRule] = &[$($crate::validation::FieldRule {
                name: stringify!($field),
                secret: <$type as $crate::validation::Field>::SECRET,
            },)*];

            fn from_json(
                part: $crate::validation::Part,
                value: &$crate::json::Json,
            ) -> Result<Self, Vec<$crate::validation::FieldError>> {
                let mut reader = $crate::validation::Reader::new(part, value, Self::RULES)?;
                $(let $field = reader.field::<$type>(stringify!($field));)*
                match ($($field,)*) {
                    ($(Some($field),)*) => Ok(Self { $($field,)* }),
                    _ => Err(reader.faults()),
                }
            }

            fn fields() -> Vec<$crate::validation::FieldSchema> {
                vec![$($crate::validation::FieldSchema::new::<$type>(stringify!($field), &[$($field_about),*]),)*]
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::validation::object_schema(
                    &[$($about),*],
                    <Self as $crate::validation::Request>::fields(),
                )
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

#[cfg(test)]
mod tests {
    use utoipa::{PartialSchema, ToSchema};

    use super::{Part, Request};
    use crate::email::Email;
    use crate::json::parse;
    use crate::validation::Password;

    request! {
        /// A change of one's own account.
        /// All of it is optional but the password.
        struct ChangeRequest {
            /// The address from now on.
            email: Option<Email>,
            /// Whether to write letters.
            letters: Option<bool>,
            /// To be sure who it is.
            password: Password,
        }
    }

    fn faults(body: &str) -> String {
        let body = parse(body.as_bytes()).unwrap();
        ChangeRequest::from_json(Part::Body, &body)
            .map_or_else(|faults| serde_json::to_string(&faults).unwrap(), |_| "none".into())
    }

    #[test]
    fn optional_fields_may_be_left_out_or_null() {
        let body = parse(br#"{"password": "x", "letters": null, "more": []}"#).unwrap();
        let request = ChangeRequest::from_json(Part::Body, &body).unwrap();
        assert!(request.email.is_none() && request.letters.is_none());
        assert_eq!(request.password.expose(), "x");
        assert_eq!(faults(r#"{"password": "x", "letters": true, "email": "ann@lanterne.org"}"#), "none");
    }

    #[test]
    fn all_faults_come_at_once_in_the_order_of_the_fields() {
        let expected = [
            r#"{"type":"string_type","loc":["body","email"],"msg":"Input should be a valid string","input":7}"#,
            r#"{"type":"bool_type","loc":["body","letters"],"msg":"Input should be a valid boolean","input":"yes"}"#,
            r#"{"type":"missing","loc":["body","password"],"msg":"Field required","input":{"letters":"yes","email":7}}"#,
        ];
        assert_eq!(faults(r#"{"letters": "yes", "email": 7}"#), format!("[{}]", expected.join(",")));
    }

    #[test]
    fn the_schema_says_the_same_rules() {
        let schema = serde_json::to_value(ChangeRequest::schema()).unwrap();
        assert_eq!(ChangeRequest::name(), "ChangeRequest");
        assert_eq!(schema["required"], serde_json::json!(["password"]));
        assert_eq!(schema["description"], "A change of one's own account.\nAll of it is optional but the password.");
        assert_eq!(schema["properties"]["email"]["type"], serde_json::json!(["string", "null"]));
        assert_eq!(schema["properties"]["email"]["format"], "email");
        assert_eq!(schema["properties"]["letters"]["description"], "Whether to write letters.");
    }
}
