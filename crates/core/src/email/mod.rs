//! E-mail addresses by the rules of pydantic's `EmailStr`: the Python package email-validator, without DNS queries.
//!
//! [`Email::parse`] takes what a person typed and returns the [`Email`] in its normal form, which is what the database
//! holds, or the [`Reason`] shown in the 422 reply. Reasons for ordinary mistakes are email-validator's, word for word.
//! [`EmailPart`] is a part of an address to search for.

mod characters;
mod domain;
mod mailbox;
mod part;

use std::borrow::Cow;
use std::fmt;

use domain::Domain;
pub use part::EmailPart;

/// Limit of pydantic on the whole text, before parsing.
const INPUT_CHARS_MAX: usize = 2048;

/// RFC 5321 section 4.5.3.1.3 with RFC 3696 erratum 1690: the longest path, without its angle brackets.
const ADDRESS_BYTES_MAX: usize = 254;

/// A valid address in normal form: the local part in NFC with its case kept, the domain in lower-case Unicode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is not a valid e-mail address, as a sentence for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Reason(Cow<'static, str>);

impl From<&'static str> for Reason {
    fn from(sentence: &'static str) -> Self {
        Self(Cow::Borrowed(sentence))
    }
}

impl From<String> for Reason {
    fn from(sentence: String) -> Self {
        Self(Cow::Owned(sentence))
    }
}

impl Email {
    /// Validates and normalizes an address. Accepts `Name <address>`, and white space around either.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        if text.chars().count() > INPUT_CHARS_MAX {
            return Err(format!("Length must not exceed {INPUT_CHARS_MAX} characters").into());
        }
        if text.contains(['\r', '\n']) {
            return Err("Carriage return and line feed characters are not allowed".into());
        }
        let address = mailbox::address_in_brackets(text).unwrap_or(text).trim_matches(characters::is_python_space);
        let (local, domain) = mailbox::split(address)?;
        let local = mailbox::normalize_local_part(local)?;
        let domain = Domain::parse(domain)?;

        check_length(address, None)?;
        let normal = format!("{local}@{}", domain.unicode);
        check_length(&normal, Some("after normalization"))?;
        let sent = format!("{local}@{}", domain.ascii);
        check_length(&sent, Some("when the part after the @-sign is converted to IDNA ASCII"))?;
        Ok(Self(normal))
    }

    /// Returns the address in normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Checks the length of an address in the given form, or as it was typed.
fn check_length(address: &str, form: Option<&str>) -> Result<(), Reason> {
    let excess = address.len().saturating_sub(ADDRESS_BYTES_MAX);
    if excess == 0 {
        return Ok(());
    }
    let amount = match form {
        Some(form) => format!("{form} ({} too many)", count(excess, "byte")),
        None => {
            // The limit is in bytes: if some characters have several, the number of characters is a range.
            let widest = address.chars().map(char::len_utf8).max().unwrap_or(1);
            let fewest = (excess / widest).max(1);
            let range = if fewest == excess { String::new() } else { format!("{fewest}-") };
            format!("({range}{} too many)", count(excess, "character"))
        }
    };
    Err(format!("The email address is too long {amount}.").into())
}

/// Formats a number with its unit in the singular or plural.
fn count(number: usize, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
