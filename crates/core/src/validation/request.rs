//! Writing a request body as a struct whose fields say their rules by their types.

use indexmap::IndexMap;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};

use super::error::{Fault, FieldError, Location};
use super::field::Field;
use super::redaction;
use crate::json::Json;

/// A request body. Implemented by [`request!`](crate::request).
pub trait Request: Sized {
    /// The fields in their order.
    const RULES: &'static [FieldRule];

    /// The body, or everything that is wrong with it, in the order of the fields. Unknown members are ignored.
    fn from_json(body: &Json) -> Result<Self, Vec<FieldError>>;
}

/// What is known of a field without its value.
#[derive(Clone, Copy, Debug)]
pub struct FieldRule {
    /// Its name in JSON.
    pub name: &'static str,
    /// Whether a reply must not repeat it.
    pub secret: bool,
}

/// Reads the fields of a body one after the other and gathers their faults.
pub struct Reader<'a> {
    body: &'a Json,
    members: &'a IndexMap<String, Json>,
    rules: &'static [FieldRule],
    faults: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    /// A reader of a body, which must be an object.
    pub fn new(body: &'a Json, rules: &'static [FieldRule]) -> Result<Self, Vec<FieldError>> {
        let fault = match body {
            Json::Object(members) => return Ok(Self { body, members, rules, faults: Vec::new() }),
            Json::Null => Fault::Missing,
            _ => Fault::NotAnObject,
        };
        Err(vec![fault.at(vec![Location::Name("body")], redaction::of_value(body, rules))])
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
                None => (Fault::Missing, redaction::of_value(self.body, self.rules)),
            },
        };
        self.faults.push(fault.at(vec![Location::Name("body"), Location::Name(name)], input));
        None
    }

    /// The faults of the fields read so far.
    pub fn faults(self) -> Vec<FieldError> {
        self.faults
    }
}

/// The JSON Schema of an object: its description and, for each field, the name, the schema, whether it may be left
/// out, and the description. Descriptions come as the lines of a doc comment.
pub fn object_schema(about: &[&str], fields: Vec<(&'static str, Object, bool, &[&str])>) -> RefOr<Schema> {
    let describe = |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n");
    let mut object = ObjectBuilder::new().schema_type(Type::Object).description(Some(describe(about)));
    for (name, mut schema, optional, about) in fields {
        schema.description = Some(describe(about));
        object = object.property(name, schema);
        if !optional {
            object = object.required(name);
        }
    }
    RefOr::T(Schema::Object(object.build()))
}

/// Declares a request body: the struct with its [`Request`], `PartialSchema` and `ToSchema`.
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

            fn from_json(body: &$crate::json::Json) -> Result<Self, Vec<$crate::validation::FieldError>> {
                let mut reader = $crate::validation::Reader::new(body, Self::RULES)?;
                $(let $field = reader.field::<$type>(stringify!($field));)*
                match ($($field,)*) {
                    ($(Some($field),)*) => Ok(Self { $($field,)* }),
                    _ => Err(reader.faults()),
                }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::validation::object_schema(&[$($about),*], vec![$((
                    stringify!($field),
                    <$type as $crate::validation::Field>::schema(),
                    <$type as $crate::validation::Field>::absent().is_some(),
                    &[$($field_about),*],
                ),)*])
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

#[cfg(test)]
mod tests {
    use utoipa::{PartialSchema, ToSchema};

    use super::Request;
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
        ChangeRequest::from_json(&body).map_or_else(|faults| serde_json::to_string(&faults).unwrap(), |_| "none".into())
    }

    #[test]
    fn optional_fields_may_be_left_out_or_null() {
        let body = parse(br#"{"password": "x", "letters": null, "more": []}"#).unwrap();
        let request = ChangeRequest::from_json(&body).unwrap();
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
