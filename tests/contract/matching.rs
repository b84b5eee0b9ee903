//! Compares a value with the one that a scenario expects.
//!
//! These strings match more than themselves:
//!
//! | pattern | matches |
//! | --- | --- |
//! | `<any>` | anything |
//! | `<integer>` | an integer |
//! | `<text>` | a string that is not empty; may also be a part of a longer pattern |
//! | `<uuid>` | a random UUID (version 4) |
//! | `<jwt>` | a token |
//! | `<time>` | the current time in the format of replies |
//! | `<sql time>`, `<sql time +604800>` | the current time, or so many seconds later, in the format of the database |
//! | `<unix time>`, `<unix time +1800>` | the current time, or so many seconds later, in Unix seconds |
//!
//! An object with a member `"..."` matches objects with further members.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

use crate::support::is_sql_time;

/// How far a time may be from the one that is expected.
const TOLERANCE_SECS: i64 = 180;
/// The member that allows further members.
const OTHERS: &str = "...";

/// Compares `got` with `want`. `at` names the place in error messages.
///
/// # Errors
/// The first difference.
pub(super) fn check(want: &Value, got: &Value, at: &str) -> Result<(), String> {
    match (want, got) {
        (Value::String(pattern), _) if is_match(pattern, got) => Ok(()),
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            let mut pairs = want.iter().zip(got).enumerate();
            pairs.try_for_each(|(index, (want, got))| check(want, got, &format!("{at}/{index}")))
        }
        (Value::Object(want), Value::Object(got)) => {
            for (name, want) in want.iter().filter(|(name, _)| *name != OTHERS) {
                let got = got.get(name).ok_or(format!("{at}/{name}: expected {want}, got nothing"))?;
                check(want, got, &format!("{at}/{name}"))?;
            }
            let unexpected = got.iter().find(|(name, _)| !want.contains_key(*name) && !want.contains_key(OTHERS));
            unexpected.map_or(Ok(()), |(name, got)| Err(format!("{at}/{name}: expected nothing, got {got}")))
        }
        _ if want == got => Ok(()),
        _ => Err(format!("{at}: expected {want}, got {got}")),
    }
}

/// Compares `got` with `want`, or with any of its items if it is an array.
pub(super) fn check_any(want: &Value, got: &Value, at: &str) -> Result<(), String> {
    match want.as_array() {
        Some(list) if list.contains(got) => Ok(()),
        _ => check(want, got, at),
    }
}

fn is_match(pattern: &str, got: &Value) -> bool {
    let text = got.as_str().unwrap_or_default();
    let (kind, offset) = pattern.trim_end_matches('>').split_once(" +").unwrap_or((pattern.trim_end_matches('>'), "0"));
    match (kind, offset.parse()) {
        ("<any", _) => true,
        ("<integer", _) => got.is_i64() || got.is_u64(),
        ("<uuid", _) => has_shape(text, "xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx"),
        ("<jwt", _) => text.split('.').count() == 3 && text.split('.').all(|part| URL_SAFE_NO_PAD.decode(part).is_ok()),
        ("<time", _) => text.ends_with('Z') && text.parse().is_ok_and(|time: Timestamp| is_now(time.as_second(), 0)),
        ("<sql time", Ok(offset)) => {
            let time = format!("{}Z", text.replace(' ', "T")).parse();
            is_sql_time(got) && time.is_ok_and(|time: Timestamp| is_now(time.as_second(), offset))
        }
        ("<unix time", Ok(offset)) => got.as_i64().is_some_and(|time| is_now(time, offset)),
        _ => got.is_string() && matches_text(pattern, text),
    }
}

/// Whether `text` equals `pattern` with a string that is not empty for each `<text>`.
fn matches_text(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("<text>") else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let mut ends = text.char_indices().map(|(index, character)| index + character.len_utf8());
    ends.any(|end| matches_text(rest, &text[end..]))
}

/// Whether `text` equals `shape` with a hexadecimal digit for each `x`.
fn has_shape(text: &str, shape: &str) -> bool {
    let is_like = |(got, want): (u8, u8)| if want == b'x' { got.is_ascii_hexdigit() } else { got == want };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(is_like)
}

fn is_now(time: i64, offset_secs: i64) -> bool {
    (time - Timestamp::now().as_second() - offset_secs).abs() <= TOLERANCE_SECS
}
