//! Values that must not be seen again: passwords and tokens.

use std::fmt;

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, SchemaFormat};

use super::error::Fault;
use super::field::{Field, string};
use super::redaction::MASK;
use crate::json::Json;

/// A text that does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// A password to be set: 8 to 100 characters, counted in code points; nothing is stripped or normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword(Secret);

/// A password to be compared with the one that was set: any string, since the rules may have been others then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

/// A token that this service gave out: any string, judged where its signature is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Secret);

impl NewPassword {
    /// The fewest characters.
    pub const CHARS_MIN: usize = 8;
    /// The most characters.
    pub const CHARS_MAX: usize = 100;

    /// The text itself, for hashing.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl Password {
    /// The text itself, for comparing.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl Token {
    /// The text itself, for verifying.
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl Field for NewPassword {
    const SECRET: bool = true;

    fn parse(input: &Json) -> Result<Self, Fault> {
        let text = string(input)?;
        match text.chars().count() {
            0..Self::CHARS_MIN => Err(Fault::TooShort(Self::CHARS_MIN)),
            Self::CHARS_MIN..=Self::CHARS_MAX => Ok(Self(Secret(text.to_owned()))),
            _ => Err(Fault::TooLong(Self::CHARS_MAX)),
        }
    }

    fn schema() -> Object {
        password().min_length(Some(Self::CHARS_MIN)).max_length(Some(Self::CHARS_MAX)).build()
    }
}

impl Field for Password {
    const SECRET: bool = true;

    fn parse(input: &Json) -> Result<Self, Fault> {
        string(input).map(|text| Self(Secret(text.to_owned())))
    }

    fn schema() -> Object {
        password().build()
    }
}

impl Field for Token {
    const SECRET: bool = true;

    fn parse(input: &Json) -> Result<Self, Fault> {
        string(input).map(|text| Self(Secret(text.to_owned())))
    }

    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::String).examples(["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."]).build()
    }
}

fn password() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .examples(["securepassword123"])
}

#[cfg(test)]
mod tests {
    use super::{NewPassword, Password, Token};
    use crate::json::Json;
    use crate::validation::{Fault, Field};

    #[test]
    fn characters_are_counted_and_not_bytes() {
        let parse = |text: String| NewPassword::parse(&Json::String(text));
        assert_eq!(parse("é".repeat(7)), Err(Fault::TooShort(8)));
        assert_eq!(parse("e\u{301}".repeat(4)).unwrap().expose(), "e\u{301}".repeat(4));
        assert!(parse("😀".repeat(100)).is_ok());
        assert_eq!(parse("😀".repeat(101)), Err(Fault::TooLong(100)));
        assert_eq!(NewPassword::parse(&Json::Null), Err(Fault::NotAString));
        assert_eq!(Password::parse(&"".into()).unwrap().expose(), "");
    }

    #[test]
    fn no_secret_is_in_a_debug_print() {
        let input = Json::from("correct horse");
        let printed = format!(
            "{:?}{:?}{:?}",
            NewPassword::parse(&input).unwrap(),
            Password::parse(&input).unwrap(),
            Token::parse(&input).unwrap()
        );
        assert!(!printed.contains("horse"), "{printed}");
    }
}
