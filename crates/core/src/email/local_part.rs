//! The part before the @-sign: a dot-atom, in ASCII (RFC 5322 section 3.2.3) or Unicode (RFC 6531 section 3.3).

use super::Reason;
use super::characters::{check_all, check_safe, is_atom, nfc};
use super::mailbox::unquote;

/// Mailbox names that RFC 2142 reserves, whatever their case.
const RESERVED_NAMES: [&str; 15] = [
    "info",
    "marketing",
    "sales",
    "support",
    "abuse",
    "noc",
    "security",
    "postmaster",
    "hostmaster",
    "usenet",
    "news",
    "webmaster",
    "www",
    "uucp",
    "ftp",
];

/// A valid local part in its normal form.
pub(super) struct LocalPart(String);

impl LocalPart {
    /// Checks the text as typed and in its normal form, since either may be used later.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let (local, quoted) = unquote(text)?;
        check(&local, quoted)?;
        let normal = nfc(&local);
        if normal != local {
            check(&normal, quoted).map_err(|reason| format!("After Unicode normalization: {reason}"))?;
        }
        if quoted {
            return Err("Quoting the part before the @-sign is not allowed here.".into());
        }
        let lower = normal.to_ascii_lowercase();
        Ok(Self(if RESERVED_NAMES.contains(&lower.as_str()) { lower } else { normal }))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(local: &str, quoted: bool) -> Result<(), Reason> {
    if local.is_empty() {
        return Err("There must be something before the @-sign.".into());
    }
    if local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom)) {
        return check_safe(local, false);
    }
    if quoted {
        // RFC 5321 section 4.1.2: everything that can be seen, and the space.
        let is_quotable = |c: char| !c.is_ascii_control();
        check_all(local, is_quotable, "The email address contains invalid characters in quotes before the @-sign")?;
        return check_safe(local, true);
    }
    let is_atom_or_dot = |c| c == '.' || is_atom(c);
    check_all(local, is_atom_or_dot, "The email address contains invalid characters before the @-sign")?;
    Err(if local.ends_with('.') {
        "An email address cannot have a period immediately before the @-sign.".into()
    } else if local.starts_with('.') {
        "An email address cannot start with a period.".into()
    } else {
        "An email address cannot have two periods in a row.".into()
    })
}
