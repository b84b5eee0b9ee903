//! Masks secrets in the input that a 422 repeats.
//!
//! FastAPI echoes the faulty value, and for a missing field the whole body, passwords included; such replies end up in
//! browser consoles and logs. Here, values are masked unless the request declares a field of that name that is not secret,
//! or the value is too short to be a secret. So a misspelt `pasword` is masked, too.

use lanterne_core::secret::NewPassword;
use serde_json::Value;

use super::request::FieldRule;

/// Replaces a masked value, as in pydantic's `SecretStr`.
pub(super) const MASK: &str = "**********";

/// Shorter values are neither passwords nor tokens, so they are echoed: clients may compare them with what they sent.
const SECRET_CHARS_MIN: usize = NewPassword::CHARS_MIN;

/// Returns the value of a field with secrets masked.
pub(super) fn redact_field(value: &Value, field: &FieldRule, rules: &[FieldRule]) -> Value {
    let mut shown = value.clone();
    mask_field(&mut shown, field, rules);
    shown
}

/// Returns a value of any structure with secrets masked.
pub(super) fn redact(value: &Value, rules: &[FieldRule]) -> Value {
    let mut shown = value.clone();
    mask(&mut shown, rules);
    shown
}

fn mask_field(value: &mut Value, field: &FieldRule, rules: &[FieldRule]) {
    if !field.secret {
        return;
    }
    match value {
        Value::String(_) => *value = MASK.into(),
        _ => mask(value, rules),
    }
}

fn mask(value: &mut Value, rules: &[FieldRule]) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) if !may_hide_digits(&number.to_string()) => {}
        Value::String(text) if !may_hold_secret(text, rules) => {}
        Value::Number(_) | Value::String(_) => *value = MASK.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, rules)),
        Value::Object(members) => {
            for (name, member) in members {
                match rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(name)) {
                    Some(rule) => mask_field(member, rule, rules),
                    None => mask(member, rules),
                }
            }
        }
    }
}

/// Returns whether a number is long enough to be a secret, or was written with more digits than it is shown with: beyond 64
/// bits it is a float with an exponent here.
fn may_hide_digits(number: &str) -> bool {
    number.len() >= SECRET_CHARS_MIN || number.contains('e')
}

/// Returns whether a text is long enough to hold a secret, without the names of fields and the delimiters of forms and
/// JSON: a body of a wrong content type is a single text here.
fn may_hold_secret(text: &str, rules: &[FieldRule]) -> bool {
    let values = rules.iter().fold(text.to_ascii_lowercase(), |rest, rule| rest.replace(rule.name, ""));
    let is_delimiter = |c: char| c.is_whitespace() || "{}[]\":,=&".contains(c);
    values.chars().filter(|c| !is_delimiter(*c)).count() >= SECRET_CHARS_MIN
}
