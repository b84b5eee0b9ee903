//! The part after the @-sign: a host name (RFC 952, RFC 1123), in ASCII or internationalized (UTS #46).

use icu_properties::props::GeneralCategoryGroup;
use idna::punycode;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::characters::{category, check_all, check_safe, quote};
use super::{Reason, count};

/// RFC 1035 section 2.3.4: 255 octets, less the root label and its length.
const DOMAIN_CHARS_MAX: usize = 253;

/// RFC 1035 section 2.3.1.
const LABEL_CHARS_MAX: usize = 63;

/// Top-level domains that cannot receive mail (RFC 6761, RFC 6762, RFC 7686). `example` is accepted, as in documentation.
const SPECIAL_USE: [&str; 6] = ["arpa", "invalid", "local", "localhost", "onion", "test"];

const NO_PERIOD: &str = "The part after the @-sign is not valid. It should have a period.";
const INVALID_CHARACTERS: &str = "The part after the @-sign contains invalid characters";

/// A valid domain in lower case, as a reader sees it and as it is sent.
pub(super) struct Domain {
    pub(super) unicode: String,
    pub(super) ascii: String,
}

impl Domain {
    /// Validates and normalizes a domain, in the order in which email-validator reports ordinary mistakes.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        if text.is_empty() {
            return Err("There must be something after the @-sign.".into());
        }
        if text.starts_with('[') && text.ends_with(']') {
            return Err("A bracketed IP address after the @-sign is not allowed here.".into());
        }
        let excess = text.chars().count().saturating_sub(DOMAIN_CHARS_MAX);
        if excess > 0 {
            let excess = count(excess, "character");
            return Err(format!("The email address is too long after the @-sign ({excess} too many).").into());
        }
        // The letters, digits and hyphens of RFC 952, and what UTS #46 may map to them or to a dot.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.') || !c.is_ascii();
        check_all(text, is_allowed, INVALID_CHARACTERS)?;
        check_safe(text)?;

        // `to_unicode` maps an invalid domain as far as it can: enough to name misplaced periods and hyphens.
        let uts46 = Uts46::new();
        let (unicode, validity) = uts46.to_unicode(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
        check_periods_and_hyphens(&unicode)?;
        validity.map_err(|_| not_idna(text))?;
        unicode.split('.').try_for_each(check_label)?;
        let ascii = uts46
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
            .map_err(|_| not_idna(text))?;
        if !text.is_ascii() && ascii.split('.').any(|label| label.len() > LABEL_CHARS_MAX) {
            return Err("The part after the @-sign is invalid (Label too long).".into());
        }
        check_host_name(&ascii)?;
        Ok(Self { unicode: unicode.into_owned(), ascii: ascii.into_owned() })
    }
}

/// Returns the reason for a domain that UTS #46 refuses: where possible, the character in its Punycode that it does not allow.
fn not_idna(domain: &str) -> Reason {
    if !domain.contains('.') {
        return NO_PERIOD.into();
    }
    let decoded = |label: &str| punycode::decode_to_string(label.strip_prefix("xn--")?);
    match domain.split('.').filter_map(decoded).find_map(|label| disallowed(&label)) {
        Some(fault) => format!("The part after the @-sign is not valid IDNA ({fault}).").into(),
        None => "The part after the @-sign is not valid IDNA.".into(),
    }
}

fn check_periods_and_hyphens(domain: &str) -> Result<(), Reason> {
    let fault = if domain.ends_with('.') {
        "An email address cannot end with a period."
    } else if domain.starts_with('.') {
        "An email address cannot have a period immediately after the @-sign."
    } else if domain.contains("..") {
        "An email address cannot have two periods in a row."
    } else if domain.ends_with('-') {
        "An email address cannot end with a hyphen."
    } else if domain.starts_with('-') {
        "An email address cannot have a hyphen immediately after the @-sign."
    } else if domain.contains(".-") || domain.contains("-.") {
        "An email address cannot have a period and a hyphen next to each other."
    } else {
        return Ok(());
    };
    Err(fault.into())
}

/// Checks a label in Unicode. UTS #46 allows symbols such as emoji for the sake of existing web pages; mail does not.
fn check_label(label: &str) -> Result<(), Reason> {
    // RFC 5890 section 2.3.1 reserves these labels for encodings. Punycode, the only one, is decoded by now.
    if label.chars().skip(2).take(2).eq(['-', '-']) {
        let fault = "An email address cannot have two letters followed by two dashes immediately after the @-sign or \
                     after a period, except Punycode.";
        return Err(fault.into());
    }
    match disallowed(label) {
        Some(fault) => Err(format!("The part after the @-sign is invalid ({fault}).").into()),
        None => Ok(()),
    }
}

/// Finds a character that is not allowed in a label, and describes it.
fn disallowed(label: &str) -> Option<String> {
    // RFC 5892 appendices A.3 and A.7: the middle dots of Catalan, between two l, and of Japanese.
    let is_japanese = label.contains(|c| matches!(c, 'ぁ'..='ヺ' | '㐀'..='鿿'));
    let is_allowed = |c| c == '-' || is_letter_or_digit(c) || (c == '・' && is_japanese);
    let characters = label.replace("l·l", "lll");
    let (at, c) = characters.chars().enumerate().find(|(_, c)| !is_allowed(*c))?;
    Some(format!("Codepoint U+{:04X} at position {} of {} not allowed", u32::from(c), at + 1, quote(label)))
}

/// The letters, marks and digits of RFC 5892 section 2, given that UTS #46 has mapped or refused unstable ones.
fn is_letter_or_digit(c: char) -> bool {
    const LETTERS_AND_DIGITS: GeneralCategoryGroup = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::NonspacingMark)
        .union(GeneralCategoryGroup::SpacingMark)
        .union(GeneralCategoryGroup::DecimalNumber);
    match c {
        // Exceptions (2.6): letters of another category; characters that only stretch, repeat or intone a letter.
        '〇' | '۽' | '۾' | '་' => true,
        'ـ' | 'ߺ' | '\u{302E}' | '\u{302F}' | '〱'..='〵' | '〻' => false,
        // Combining marks for symbols and for music (2.4).
        '\u{20D0}'..='\u{20FF}' | '\u{1D100}'..='\u{1D24F}' => false,
        // Old Hangul jamo (2.9).
        '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97F}' | '\u{D7B0}'..='\u{D7FF}' => false,
        _ => LETTERS_AND_DIGITS.contains(category(c)),
    }
}

/// Checks that mail from anywhere can reach a host of this name.
fn check_host_name(domain: &str) -> Result<(), Reason> {
    if let Some(label) = domain.split('.').find(|label| label.len() > LABEL_CHARS_MAX) {
        let excess = count(label.len() - LABEL_CHARS_MAX, "character");
        let fault = format!("After the @-sign, periods cannot be separated by so many characters ({excess} too many).");
        return Err(fault.into());
    }
    let Some((_, top)) = domain.rsplit_once('.') else {
        return Err(NO_PERIOD.into());
    };
    if !top.ends_with(|last: char| last.is_ascii_alphabetic()) {
        return Err("The part after the @-sign is not valid. It is not within a valid top-level domain.".into());
    }
    if SPECIAL_USE.contains(&top) {
        let fault = "The part after the @-sign is a special-use or reserved name that cannot be used with email.";
        return Err(fault.into());
    }
    Ok(())
}
