//! The syntax around the domain: `Name <local@domain>` (RFC 5322 section 3.4) and the local part.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::Reason;
use super::characters::{check_all, check_safe, is_ascii_atom, is_python_space, is_word, show};

/// Mailbox names that RFC 2142 reserves in any case.
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

/// Returns the text inside the angle brackets of `Name <...>`, `"Quoted name" <...>` or `<...>`, if it has that form.
///
/// This is pydantic's `pretty_email_regex`, which does not look at the address itself.
pub(super) fn address_in_brackets(text: &str) -> Option<&str> {
    let text = text.trim_matches(is_python_space).strip_suffix('>')?;
    let is_present = |address: &&str| !address.is_empty();
    if let Some(quoted) = text.strip_prefix('"') {
        // The regex is greedy: the name ends at the last quote followed by a bracketed address.
        return quoted.rmatch_indices('"').filter(|(at, _)| *at > 0).find_map(|(at, quote)| {
            let rest = quoted[at + quote.len()..].trim_start_matches(is_python_space);
            rest.strip_prefix('<').filter(is_present)
        });
    }
    let (name, address) = text.split_once('<')?;
    let is_name = name.chars().all(|c| is_python_space(c) || is_word(c) || c == '.' || is_ascii_atom(c));
    Some(address).filter(|address| is_name && is_present(address))
}

/// Splits an address at the first `@` outside quotes into its local part and domain.
pub(super) fn split(text: &str) -> Result<(&str, &str), Reason> {
    let (left, right) = text.split_at(find_at_or_bracket(text)?);
    if let Some(domain) = right.strip_prefix('@') {
        return Ok((left, domain));
    }
    let name = left.trim_end_matches(is_python_space);
    if !is_quoted(name)? {
        let is_allowed = |c| c == ' ' || is_ascii_atom(c);
        check_all(name, is_allowed, "The display name contains invalid characters when not quoted")?;
    }
    if !right.contains('>') {
        let fault = "An open angle bracket at the start of the email address has to be followed by a close angle \
                     bracket at the end.";
        return Err(fault.into());
    }
    let address = right[1..].strip_suffix('>').ok_or("There can't be anything after the email address.")?;
    find_at_or_bracket(address)?;
    Err("A display name and angle brackets around the email address are not permitted here.".into())
}

fn find_at_or_bracket(text: &str) -> Result<usize, Reason> {
    let mut is_inside_quotes = false;
    let mut is_escaped = false;
    let at = text.find(|c| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_inside_quotes,
            '"' => is_inside_quotes = !is_inside_quotes,
            '@' | '<' => return !is_inside_quotes,
            _ => {}
        }
        false
    });
    if let Some(at) = at {
        return Ok(at);
    }
    Err(if text.contains('＠') {
        "The email address has the \"full-width\" at-sign (@) character instead of a regular at-sign."
    } else if text.contains('﹫') {
        "The email address has the \"small commercial at\" character instead of a regular at-sign."
    } else {
        "An email address must have an @-sign."
    }
    .into())
}

/// Returns whether the text is a quoted string (RFC 5322 section 3.2.4); nothing may follow its closing quote.
fn is_quoted(text: &str) -> Result<bool, Reason> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Ok(false);
    };
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    let extra: Vec<String> = end.map_or("", |end| &quoted[end + 1..]).chars().map(show).collect();
    if extra.is_empty() {
        return Ok(true);
    }
    Err(format!("Extra character(s) found after close quote: {}", extra.join(", ")).into())
}

/// Validates a local part: a dot-atom in ASCII (RFC 5322 section 3.2.3) or Unicode (RFC 6531 section 3.3).
///
/// Returns it in NFC (UAX #15) with its case kept, and RFC 2142's names in lower case.
pub(super) fn normalize_local_part(text: &str) -> Result<String, Reason> {
    if text.is_empty() {
        return Err("There must be something before the @-sign.".into());
    }
    if is_quoted(text)? {
        return Err("Quoting the part before the @-sign is not allowed here.".into());
    }
    // Composition turns `>` with a combining solidus into an allowed character, and U+037E into a semicolon.
    check_local_part(text)?;
    let normal = compose(text);
    check_local_part(&normal)?;
    let lower = normal.to_ascii_lowercase();
    Ok(if RESERVED_NAMES.contains(&lower.as_str()) { lower } else { normal.into_owned() })
}

/// Returns a text in NFC (UAX #15).
pub(super) fn compose(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

fn check_local_part(local: &str) -> Result<(), Reason> {
    let is_allowed = |c: char| c == '.' || is_ascii_atom(c) || !c.is_ascii();
    check_all(local, is_allowed, "The email address contains invalid characters before the @-sign")?;
    if local.ends_with('.') {
        return Err("An email address cannot have a period immediately before the @-sign.".into());
    }
    if local.starts_with('.') {
        return Err("An email address cannot start with a period.".into());
    }
    if local.contains("..") {
        return Err("An email address cannot have two periods in a row.".into());
    }
    check_safe(local)
}
