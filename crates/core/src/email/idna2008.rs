//! Internationalised labels by IDNA 2008 (RFC 5891, RFC 5892), with the faults in the words of the Python package idna.
//!
//! The `idna` crate implements the wider UTS #46, which lets symbols such as emoji pass for the sake of existing web
//! pages. Mail does not, so the crate's Punycode is used here with the narrower rules of RFC 5892, as far as Unicode's
//! own properties do not say them.

use icu_properties::CodePointMapData;
use icu_properties::props::{CanonicalCombiningClass, GeneralCategory, GeneralCategoryGroup, JoiningType, Script};
use idna::punycode;

use super::characters::{category, map_for_domain, nfc, repr};
use super::{bidi, domain};

/// What announces a label in Punycode.
const ACE_PREFIX: &str = "xn--";

/// A mapped label in ASCII, as it is sent.
pub(super) fn to_ascii(label: &str) -> Result<String, String> {
    let ascii = if label.is_ascii() {
        to_unicode(label)?;
        label.to_owned()
    } else {
        check(label)?;
        let encoded = punycode::encode_str(label).ok_or("Label too long")?;
        format!("{ACE_PREFIX}{encoded}")
    };
    if ascii.len() > domain::LABEL_CHARS_MAX { Err("Label too long".to_owned()) } else { Ok(ascii) }
}

/// An ASCII label as it is read.
pub(super) fn to_unicode(label: &str) -> Result<String, String> {
    let Some(encoded) = label.strip_prefix(ACE_PREFIX) else {
        return check(label).map(|()| label.to_owned());
    };
    if encoded.is_empty() {
        return Err("Malformed A-label, no Punycode eligible content found".to_owned());
    }
    if encoded.ends_with('-') {
        return Err("A-label must not end with a hyphen".to_owned());
    }
    let unicode = punycode::decode_to_string(encoded).ok_or("Invalid A-label")?;
    if punycode::encode_str(&unicode).as_deref() != Some(encoded) {
        return Err("A-label is not the canonical Punycode encoding of its U-label".to_owned());
    }
    check(&unicode)?;
    Ok(unicode)
}

fn check(label: &str) -> Result<(), String> {
    let characters: Vec<char> = label.chars().collect();
    let Some(first) = characters.first() else {
        return Err("Empty Label".to_owned());
    };
    let fault = if nfc(label) != label {
        "Label must be in Normalization Form C"
    } else if characters.get(2..4) == Some(&['-', '-']) {
        "Label has disallowed hyphens in 3rd and 4th position"
    } else if label.starts_with('-') || label.ends_with('-') {
        "Label must not start or end with a hyphen"
    } else if GeneralCategoryGroup::Mark.contains(category(*first)) {
        "Label begins with an illegal combining character"
    } else {
        check_characters(&characters, &repr(label))?;
        return bidi::check(label, false);
    };
    Err(fault.to_owned())
}

fn check_characters(label: &[char], shown: &str) -> Result<(), String> {
    for (at, c) in label.iter().enumerate() {
        let (place, number) = (at + 1, u32::from(*c));
        match is_allowed_in_context(label, at) {
            Some(true) => {}
            Some(false) if is_joiner(*c) => {
                return Err(format!("Joiner U+{number:04X} not allowed at position {place} in {shown}"));
            }
            Some(false) => return Err(format!("Codepoint U+{number:04X} not allowed at position {place} in {shown}")),
            None if is_letter_or_digit(*c) => {}
            None => return Err(format!("Codepoint U+{number:04X} at position {place} of {shown} not allowed")),
        }
    }
    Ok(())
}

/// RFC 5892 section 3: whether a character is valid anywhere.
fn is_letter_or_digit(c: char) -> bool {
    use GeneralCategory::{
        DecimalNumber, LowercaseLetter, ModifierLetter, NonspacingMark, OtherLetter, SpacingMark, UppercaseLetter,
    };
    match c {
        // Exceptions (section 2.6).
        '〇' | '۽' | '۾' | '་' | '-' => true,
        'ـ' | 'ߺ' | '\u{302E}' | '\u{302F}' | '〱'..='〵' | '〻' => false,
        // Ignorable blocks (2.4): combining marks of symbols and of music.
        '\u{20D0}'..='\u{20FF}' | '\u{1D100}'..='\u{1D24F}' => false,
        // Old Hangul jamo (2.9).
        '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97F}' | '\u{D7B0}'..='\u{D7FF}' => false,
        // Letters and digits (2.1) that are stable (2.2), that is mapped to themselves.
        _ => {
            let category = category(c);
            let letters = [LowercaseLetter, UppercaseLetter, OtherLetter, ModifierLetter, NonspacingMark, SpacingMark];
            (category == DecimalNumber || letters.contains(&category)) && map_for_domain(c).eq([c])
        }
    }
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// RFC 5892 appendix A: for a character that is only allowed in some company, whether it has it.
fn is_allowed_in_context(label: &[char], at: usize) -> Option<bool> {
    let (before, rest) = label.split_at(at);
    let after = &rest[1..];
    let is = |neighbour: Option<&char>, script: Script| neighbour.is_some_and(|c| script_of(*c) == script);
    Some(match rest[0] {
        '\u{200C}' => ends_with_virama(before) || joins(before, after),
        '\u{200D}' => ends_with_virama(before),
        '·' => before.last() == Some(&'l') && after.first() == Some(&'l'),
        '͵' => is(after.first(), Script::Greek),
        '׳' | '״' => is(before.last(), Script::Hebrew),
        '・' => label.iter().any(|c| matches!(script_of(*c), Script::Hiragana | Script::Katakana | Script::Han)),
        '٠'..='٩' => !label.iter().any(|c| matches!(c, '۰'..='۹')),
        '۰'..='۹' => !label.iter().any(|c| matches!(c, '٠'..='٩')),
        _ => return None,
    })
}

fn ends_with_virama(before: &[char]) -> bool {
    let class = |c: &char| CodePointMapData::<CanonicalCombiningClass>::new().get(*c);
    before.last().map(class) == Some(CanonicalCombiningClass::Virama)
}

/// Whether letters join across, as they do in Arabic; transparent characters do not count.
fn joins(before: &[char], after: &[char]) -> bool {
    let joining = |c: &char| CodePointMapData::<JoiningType>::new().get(*c);
    let left = before.iter().rev().map(joining).find(|kind| *kind != JoiningType::Transparent);
    let right = after.iter().map(joining).find(|kind| *kind != JoiningType::Transparent);
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

fn script_of(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}
