//! The part after the @-sign: a host name (RFC 952, RFC 1123), in ASCII or internationalised (UTS #46, IDNA 2008).

use icu_normalizer::uts46::Uts46MapperBorrowed;
use icu_properties::props::GeneralCategory;

use super::Reason;
use super::characters::{category, check_all, check_safe, is_hostname, map_for_domain, repr};
use super::{bidi, domain_literal, idna2008};

/// RFC 1035 section 2.3.4: 255 octets, less the root label and its length.
const DOMAIN_CHARS_MAX: usize = 253;

/// RFC 1035 section 2.3.1.
pub(super) const LABEL_CHARS_MAX: usize = 63;

/// Top-level domains that cannot receive mail (RFC 6761, RFC 6762, RFC 7686). `example` is left out on purpose.
const SPECIAL_USE: [&str; 6] = ["arpa", "invalid", "local", "localhost", "onion", "test"];

/// A valid domain as it is shown and as it is sent.
pub(super) struct Domain {
    pub(super) unicode: String,
    pub(super) ascii: String,
}

impl Domain {
    /// Checks and normalises a domain, in the order of email-validator's `validate_email_domain_name`.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        if text.is_empty() {
            return Err("There must be something after the @-sign.".into());
        }
        if let Some(literal) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Err(domain_literal::refuse(literal));
        }
        if let Some(excess) = excess(text.chars().count(), DOMAIN_CHARS_MAX) {
            return Err(format!("The email address is too long after the @-sign ({excess} too many).").into());
        }
        let domain = map(text)?;
        check_dots_and_hyphens(&domain)?;
        let ascii = to_ascii(&domain)?;
        check_ascii(&ascii)?;
        if !ascii.contains("xn--") {
            return Ok(Self { unicode: ascii.clone(), ascii });
        }
        let not_idna = |fault| Reason::from(format!("The part after the @-sign is not valid IDNA ({fault})."));
        let labels: Result<Vec<String>, String> = ascii.split('.').map(idna2008::to_unicode).collect();
        let unicode = labels.map_err(not_idna)?.join(".");
        check_safe(&unicode, false)?;
        if bidi::is_bidi(&unicode) {
            unicode.split('.').try_for_each(|label| bidi::check(label, true)).map_err(not_idna)?;
        }
        Ok(Self { unicode, ascii })
    }
}

/// Lower case, composed, with every kind of dot a full stop: the mapping of UTS #46.
fn map(text: &str) -> Result<String, Reason> {
    const INVALID: &str = "The part after the @-sign contains invalid characters";
    check_all(text, is_hostname, INVALID)?;
    check_safe(text, false)?;
    check_all(text, is_mappable, INVALID)?;
    let mapped: String = Uts46MapperBorrowed::new().map_normalize(text.chars()).collect();
    if let Some(at) = text.chars().position(|c| map_for_domain(c).any(|part| part == char::REPLACEMENT_CHARACTER)) {
        let number = text.chars().nth(at).map_or(0, u32::from);
        let place = format!("Codepoint U+{number:04X} not allowed at position {} in {}", at + 1, repr(text));
        return Err(format!("{INVALID} ({place}).").into());
    }
    check_all(&mapped, is_hostname, &format!("{INVALID} after Unicode normalization"))?;
    Ok(mapped)
}

/// Refuses what UTS #46 would refuse anyway, where email-validator has a plainer sentence for it.
fn is_mappable(c: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse, Unassigned};
    match c {
        '\0'..='\x7F' | '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{2064}' | '\u{1BCA0}'..='\u{1BCA3}' => {
            true
        }
        // Single characters that stand for several with a full stop among them.
        '․'..='…' | '⒈'..='⒛' | '㏂' | '㏇' | '㏘' | '﹒' | '🄀' => false,
        _ => !matches!(category(c), Control | Format | PrivateUse | Unassigned),
    }
}

fn check_dots_and_hyphens(domain: &str) -> Result<(), Reason> {
    let has_beside_a_dot = |mark: char| domain.contains(&format!(".{mark}")) || domain.contains(&format!("{mark}."));
    let fault = if domain.ends_with('.') {
        "An email address cannot end with a period."
    } else if domain.starts_with('.') {
        "An email address cannot have a period immediately after the @-sign."
    } else if has_beside_a_dot('.') {
        "An email address cannot have two periods in a row."
    } else if domain.ends_with('-') {
        "An email address cannot end with a hyphen."
    } else if domain.starts_with('-') {
        "An email address cannot have a hyphen immediately after the @-sign."
    } else if has_beside_a_dot('-') {
        "An email address cannot have a period and a hyphen next to each other."
    } else if domain.split('.').any(is_reserved_label) {
        "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a \
         period, except Punycode."
    } else {
        return Ok(());
    };
    Err(fault.into())
}

/// RFC 5890 section 2.3.1: two hyphens in third and fourth place announce an encoding, and there is only one.
fn is_reserved_label(label: &str) -> bool {
    let mut characters = label.chars();
    let prefix: String = characters.by_ref().take(2).collect();
    characters.as_str().starts_with("--") && prefix != "xn"
}

fn to_ascii(domain: &str) -> Result<String, Reason> {
    if domain.is_ascii() && !domain.is_empty() {
        return Ok(domain.to_owned());
    }
    let labels: Result<Vec<String>, String> = domain.split('.').map(idna2008::to_ascii).collect();
    let ascii = labels.map_err(|fault| format!("The part after the @-sign is invalid ({fault})."))?.join(".");
    match ascii.len().saturating_sub(DOMAIN_CHARS_MAX) {
        0 => Ok(ascii),
        excess => {
            let plural = if excess == 1 { "" } else { "s" };
            let amount = format!("({excess} byte{plural} too many after IDNA encoding)");
            Err(format!("The email address is too long after the @-sign {amount}.").into())
        }
    }
}

/// What holds for a host name that mail can reach from anywhere.
fn check_ascii(domain: &str) -> Result<(), Reason> {
    if let Some(excess) = domain.split('.').find_map(|label| excess(label.len(), LABEL_CHARS_MAX)) {
        return Err(format!(
            "After the @-sign, periods cannot be separated by so many characters ({excess} too many)."
        )
        .into());
    }
    if !domain.contains('.') {
        return Err("The part after the @-sign is not valid. It should have a period.".into());
    }
    if !domain.ends_with(|last: char| last.is_ascii_alphabetic()) {
        return Err("The part after the @-sign is not valid. It is not within a valid top-level domain.".into());
    }
    match domain.rsplit('.').next() {
        Some(top) if SPECIAL_USE.contains(&top) => {
            Err("The part after the @-sign is a special-use or reserved name that cannot be used with email.".into())
        }
        _ => Ok(()),
    }
}

/// By how many characters a length is over its limit, in words.
fn excess(chars: usize, chars_max: usize) -> Option<String> {
    match chars.saturating_sub(chars_max) {
        0 => None,
        1 => Some("1 character".to_owned()),
        many => Some(format!("{many} characters")),
    }
}
