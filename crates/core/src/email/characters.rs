//! Which characters an address may hold, and how a fault names them.

use std::collections::BTreeSet;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_normalizer::uts46::Uts46MapperBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

use super::Reason;
use super::character_name::character_name;

/// Unicode Normalization Form C (UAX #15).
pub(super) fn nfc(text: &str) -> String {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    NFC.normalize(text).into_owned()
}

/// What UTS #46 makes of a character in a domain; U+FFFD where it allows none.
pub(super) fn map_for_domain(c: char) -> impl Iterator<Item = char> {
    const MAPPER: Uts46MapperBorrowed<'static> = Uts46MapperBorrowed::new();
    MAPPER.map_normalize(std::iter::once(c))
}

/// Whether the first character of the text changes when the text is normalised, so that it is not itself.
///
/// The Stream-Safe Text Format (UAX #15) allows 30 combining characters in a row: a window of 32 decides.
pub(super) fn combines_with_next(text: &str) -> bool {
    let window: String = text.chars().take(32).collect();
    !window.is_ascii() && nfc(&window).chars().next() != text.chars().next()
}

/// White space by Python's `str.isspace`, which `str.strip` drops: Unicode's and four separators of ASCII.
pub(super) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1C'..='\x1F')
}

/// `\w` of Python's regular expressions.
pub(super) fn is_word(c: char) -> bool {
    c == '_' || GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Number).contains(category(c))
}

/// `atext` of RFC 5322 section 3.2.3.
pub(super) fn is_ascii_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// `atext` as RFC 6531 section 3.3 widens it.
pub(super) fn is_atom(c: char) -> bool {
    is_ascii_atom(c) || !c.is_ascii()
}

/// The letters, digits and hyphens of RFC 952, the dots between labels, and what IDNA may turn into them.
pub(super) fn is_hostname(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.') || !c.is_ascii()
}

pub(super) fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_visible(c: char) -> bool {
    GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol)
        .contains(category(c))
}

/// Refuses characters that are not allowed, and names each once, in the order of their names.
pub(super) fn check_all(text: &str, allowed: impl Fn(char) -> bool, fault: &str) -> Result<(), Reason> {
    let bad: BTreeSet<String> = text.chars().filter(|c| !allowed(*c)).map(display).collect();
    refuse(fault, bad)
}

/// Refuses characters that could change how the text around the address looks: control, format, private and
/// unassigned ones, line separators, spaces unless allowed, and a combining mark at the start.
pub(super) fn check_safe(text: &str, spaces_allowed: bool) -> Result<(), Reason> {
    let is_safe = |at: usize, c: char| match category(c) {
        GeneralCategory::SpaceSeparator => spaces_allowed,
        mark if GeneralCategoryGroup::Mark.contains(mark) => at > 0,
        _ => is_visible(c),
    };
    let bad: BTreeSet<char> = text.char_indices().filter(|(at, c)| !is_safe(*at, *c)).map(|(_, c)| c).collect();
    refuse("The email address contains unsafe characters", bad.into_iter().map(display))
}

fn refuse(fault: &str, bad: impl IntoIterator<Item = String>) -> Result<(), Reason> {
    let bad: Vec<String> = bad.into_iter().collect();
    if bad.is_empty() { Ok(()) } else { Err(format!("{fault}: {}.", bad.join(", ")).into()) }
}

/// A visible character in quotes as Python's `repr` puts them; the Unicode name or the number of any other.
pub(super) fn display(c: char) -> String {
    match c {
        // Python's `repr` would double it.
        '\\' => "\"\\\"".to_owned(),
        '\'' => "\"'\"".to_owned(),
        _ if is_visible(c) => format!("'{c}'"),
        _ => match character_name(c) {
            Some(name) => name.to_owned(),
            None if c < '\u{FFFF}' => format!("U+{:04X}", u32::from(c)),
            None => format!("U+{:08X}", u32::from(c)),
        },
    }
}

/// A part of a domain as Python's `repr` shows it. It holds no quotes and no backslashes.
pub(super) fn repr(text: &str) -> String {
    let mut shown = String::from("'");
    for c in text.chars() {
        let number = u32::from(c);
        match number {
            _ if is_visible(c) || GeneralCategoryGroup::Mark.contains(category(c)) => shown.push(c),
            0..=0xFF => shown.push_str(&format!("\\x{number:02x}")),
            0x100..=0xFFFF => shown.push_str(&format!("\\u{number:04x}")),
            _ => shown.push_str(&format!("\\U{number:08x}")),
        }
    }
    shown + "'"
}
