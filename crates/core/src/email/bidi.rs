//! The Bidi rule (RFC 5893 section 2): a label looks the same wherever it stands.

use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass;

use super::characters::repr;

/// Whether a text has right-to-left characters. One such label puts a whole domain under the rule.
pub(super) fn is_bidi(text: &str) -> bool {
    text.chars().any(|c| is_right_to_left(class(c)))
}

/// Checks a label that has right-to-left characters, or, if `always`, any label.
pub(super) fn check(label: &str, always: bool) -> Result<(), String> {
    if !always && !is_bidi(label) {
        return Ok(());
    }
    let classes: Vec<BidiClass> = label.chars().map(class).collect();
    // Rule 1.
    let direction = match classes.first() {
        Some(&BidiClass::RightToLeft | &BidiClass::ArabicLetter) => "right-to-left",
        Some(&BidiClass::LeftToRight) => "left-to-right",
        _ => return Err(format!("First codepoint in label {} must be directionality L, R or AL", repr(label))),
    };
    let is_leftward = direction == "right-to-left";
    let mut numerals = None;
    for (at, class) in classes.iter().enumerate() {
        // Rules 2 and 5.
        if !is_neutral(*class) && is_right_to_left(*class) != is_leftward {
            return Err(format!("Invalid direction for codepoint at position {} in a {direction} label", at + 1));
        }
        // Rule 4.
        if is_leftward && is_numeral(*class) && *numerals.get_or_insert(*class) != *class {
            return Err("Can not mix numeral types in a right-to-left label".to_owned());
        }
    }
    // Rules 3 and 6.
    let last = classes.iter().rev().find(|class| **class != BidiClass::NonspacingMark);
    match last {
        Some(&BidiClass::EuropeanNumber) => Ok(()),
        Some(class) if is_right_to_left(*class) || *class == BidiClass::LeftToRight => Ok(()),
        _ => Err("Label ends with illegal codepoint directionality".to_owned()),
    }
}

fn class(c: char) -> BidiClass {
    CodePointMapData::<BidiClass>::new().get(c)
}

fn is_right_to_left(class: BidiClass) -> bool {
    matches!(class, BidiClass::RightToLeft | BidiClass::ArabicLetter | BidiClass::ArabicNumber)
}

fn is_numeral(class: BidiClass) -> bool {
    matches!(class, BidiClass::ArabicNumber | BidiClass::EuropeanNumber)
}

/// Allowed in labels of both directions.
fn is_neutral(class: BidiClass) -> bool {
    matches!(
        class,
        BidiClass::EuropeanNumber
            | BidiClass::EuropeanSeparator
            | BidiClass::EuropeanTerminator
            | BidiClass::CommonSeparator
            | BidiClass::OtherNeutral
            | BidiClass::BoundaryNeutral
            | BidiClass::NonspacingMark
    )
}
