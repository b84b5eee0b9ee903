//! E-mail addresses as the original backend understands them: pydantic's `EmailStr`, which is the Python package
//! email-validator without its DNS queries.
//!
//! In goes what a person typed, out comes the [`Email`] in its normal form or the [`Reason`] in email-validator's
//! words. Both are part of the API: the normal form is what the database holds, the reason is shown in the 422 reply.

mod bidi;
mod character_name;
mod characters;
mod domain;
mod domain_literal;
mod idna2008;
mod local_part;
mod mailbox;

use std::borrow::Cow;
use std::fmt;

use domain::Domain;
use local_part::LocalPart;
use mailbox::Mailbox;

/// pydantic's own limit on the text, before anything is parsed.
const INPUT_CHARS_MAX: usize = 2048;

/// RFC 5321 section 4.5.3.1.3 with RFC 3696 erratum 1690: the longest path, without its angle brackets.
const ADDRESS_BYTES_MAX: usize = 254;

/// A valid address in its normal form: the local part in NFC with its case kept, the domain in lower case Unicode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is no e-mail address, as a sentence for the person who typed it.
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
    /// Checks and normalises an address. `Name <address>` is read as the address, and white space around it is dropped.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        if text.chars().count() > INPUT_CHARS_MAX {
            return Err(format!("Length must not exceed {INPUT_CHARS_MAX} characters").into());
        }
        if text.contains(['\r', '\n']) {
            return Err("Carriage return and line feed characters are not allowed".into());
        }
        let address = mailbox::address_in_brackets(text).unwrap_or(text);
        Self::parse_address(address.trim_matches(characters::is_python_space))
    }

    /// What email-validator's `validate_email` does, in its order: the first fault is the one that is told.
    fn parse_address(text: &str) -> Result<Self, Reason> {
        let mailbox = Mailbox::split(text)?;
        let local = LocalPart::parse(mailbox.local)?;
        let domain = Domain::parse(mailbox.domain)?;

        let normal = format!("{}@{}", local.as_str(), domain.unicode);
        check_length(&format!("{}@{}", mailbox.local, mailbox.domain), None)?;
        check_length(&normal, Some("after normalization"))?;
        check_length(
            &format!("{}@{}", local.as_str(), domain.ascii),
            Some("when the part after the @-sign is converted to IDNA ASCII"),
        )?;
        if mailbox.has_display_name {
            return Err("A display name and angle brackets around the email address are not permitted here.".into());
        }
        Ok(Self(normal))
    }

    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `form` names the form of the address that is measured; without it, it is the one that was sent.
fn check_length(address: &str, form: Option<&str>) -> Result<(), Reason> {
    let excess = address.len().saturating_sub(ADDRESS_BYTES_MAX);
    if excess == 0 {
        return Ok(());
    }
    let plural = if excess > 1 { "s" } else { "" };
    let widest = address.chars().map(char::len_utf8).max().unwrap_or(1);
    // With several bytes to a character, only a range can be said of how many characters are too many.
    let amount = match (form, excess.checked_div(widest).unwrap_or(0).max(1)) {
        (Some(form), _) => format!("{form} ({excess} byte{plural} too many)"),
        (None, fewest) if fewest == excess => format!("({excess} character{plural} too many)"),
        (None, fewest) => format!("({fewest}-{excess} character{plural} too many)"),
    };
    Err(format!("The email address is too long {amount}.").into())
}

#[cfg(test)]
mod tests;
