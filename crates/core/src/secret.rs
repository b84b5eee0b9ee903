//! Passwords and tokens as received, hidden from `Debug`.

use std::fmt;

/// A password or a token. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("**********")
    }
}

/// A password to set. Its length is counted in code points; it is neither trimmed nor normalized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword(Secret);

/// A password of a length that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordLengthError {
    /// Fewer characters than [`NewPassword::CHARS_MIN`].
    #[error("a password has at least {min} characters", min = NewPassword::CHARS_MIN)]
    TooShort,
    /// More characters than [`NewPassword::CHARS_MAX`].
    #[error("a password has at most {max} characters", max = NewPassword::CHARS_MAX)]
    TooLong,
}

impl NewPassword {
    /// The fewest characters.
    pub const CHARS_MIN: usize = 8;
    /// The most characters.
    pub const CHARS_MAX: usize = 100;

    /// Checks the length of a password.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn parse(text: &str) -> Result<Self, PasswordLengthError> {
        match text.chars().count() {
            0..Self::CHARS_MIN => Err(PasswordLengthError::TooShort),
            Self::CHARS_MIN..=Self::CHARS_MAX => Ok(Self(Secret::new(text))),
            _ => Err(PasswordLengthError::TooLong),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        let parse = |text: String| NewPassword::parse(&text);
        assert_eq!(parse("é".repeat(7)), Err(PasswordLengthError::TooShort));
        assert_eq!(parse("e\u{301}".repeat(4)).map(|password| password.expose().len()), Ok(12));
        assert!(parse("😀".repeat(100)).is_ok());
        assert_eq!(parse("😀".repeat(101)), Err(PasswordLengthError::TooLong));
    }

    #[test]
    fn debug_does_not_print_the_text() {
        let password = NewPassword::parse("correct horse").expect("long enough");
        assert_eq!(format!("{password:?}{:?}", Secret::new("horse")), "NewPassword(**********)**********");
    }
}
