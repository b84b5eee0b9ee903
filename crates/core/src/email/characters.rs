//! Classes of characters by their Unicode general category, and how a reason shows a character.

use std::collections::BTreeSet;

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

use super::Reason;

/// White space that Python's `str.strip` drops: Unicode's, and four separators of ASCII.
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

pub(super) fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_visible(c: char) -> bool {
    const VISIBLE: GeneralCategoryGroup = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    VISIBLE.contains(category(c))
}

/// Refuses a text with characters that are not allowed, and lists them after the fault.
pub(super) fn check_all(text: &str, is_allowed: impl Fn(char) -> bool, fault: &str) -> Result<(), Reason> {
    refuse(text.chars().filter(|c| !is_allowed(*c)), fault)
}

/// Refuses characters that could deceive a reader about the text around them: control, format, private-use and
/// unassigned characters, separators, and a combining mark at the start.
pub(super) fn check_safe(text: &str) -> Result<(), Reason> {
    let is_safe = |at, c| is_visible(c) || (at > 0 && GeneralCategoryGroup::Mark.contains(category(c)));
    let bad = text.char_indices().filter(|(at, c)| !is_safe(*at, *c)).map(|(_, c)| c);
    refuse(bad, "The email address contains unsafe characters")
}

fn refuse(bad: impl Iterator<Item = char>, fault: &str) -> Result<(), Reason> {
    let shown: BTreeSet<String> = bad.map(show).collect();
    if shown.is_empty() {
        return Ok(());
    }
    Err(format!("{fault}: {}.", Vec::from_iter(shown).join(", ")).into())
}

/// Shows a visible character in quotes, an invisible one that is often copied along by its name, and any other by its code
/// point.
pub(super) fn show(c: char) -> String {
    let name = match c {
        ' ' => Some("SPACE"),
        '\u{A0}' => Some("NO-BREAK SPACE"),
        '\u{301}' => Some("COMBINING ACUTE ACCENT"),
        '\u{200B}' => Some("ZERO WIDTH SPACE"),
        '\u{200C}' => Some("ZERO WIDTH NON-JOINER"),
        '\u{200D}' => Some("ZERO WIDTH JOINER"),
        '\u{200E}' => Some("LEFT-TO-RIGHT MARK"),
        '\u{200F}' => Some("RIGHT-TO-LEFT MARK"),
        '\u{2028}' => Some("LINE SEPARATOR"),
        '\u{202D}' => Some("LEFT-TO-RIGHT OVERRIDE"),
        '\u{202E}' => Some("RIGHT-TO-LEFT OVERRIDE"),
        '\u{FEFF}' => Some("ZERO WIDTH NO-BREAK SPACE"),
        _ => None,
    };
    if let Some(name) = name {
        return name.to_owned();
    }
    match c {
        '\'' | '\\' => format!("\"{c}\""),
        _ if is_visible(c) => format!("'{c}'"),
        _ => format!("U+{:04X}", u32::from(c)),
    }
}

/// Quotes a text with invisible characters escaped as in Python.
pub(super) fn quote(text: &str) -> String {
    let escape = |c: char| match u32::from(c) {
        _ if is_visible(c) || GeneralCategoryGroup::Mark.contains(category(c)) => c.to_string(),
        number @ ..0x100 => format!("\\x{number:02x}"),
        number => format!("\\u{number:04x}"),
    };
    format!("'{}'", text.chars().map(escape).collect::<String>())
}
