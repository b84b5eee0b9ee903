//! What a 422 reply may repeat of what was sent.
//!
//! The original echoes the faulty value, and for a missing field the whole body, passwords included; such replies end
//! up in browser consoles and in logs. Here a value is masked unless the request has a field of that name that is not
//! secret, or the value is too short to be a password or a token. So a misspelt `pasword` does not leak either.

use super::request::FieldRule;
use super::secret::NewPassword;
use crate::json::Json;

/// Stands for what is not shown; the mask of pydantic's `SecretStr`.
pub(super) const MASK: &str = "**********";

/// Shorter texts are neither passwords nor tokens, and clients may compare them with what they sent.
const SECRET_CHARS_MIN: usize = NewPassword::CHARS_MIN;

/// The faulty value of a field, as far as it may be shown.
pub(super) fn of_field(value: &Json, field: &FieldRule, rules: &[FieldRule]) -> Json {
    let mut shown = value.clone();
    mask_field(&mut shown, field, rules);
    shown
}

/// A value in which anything may stand anywhere, as far as it may be shown.
pub(super) fn of_value(value: &Json, rules: &[FieldRule]) -> Json {
    let mut shown = value.clone();
    mask(&mut shown, rules);
    shown
}

fn mask_field(value: &mut Json, field: &FieldRule, rules: &[FieldRule]) {
    match value {
        _ if !field.secret => {}
        Json::String(text) => MASK.clone_into(text),
        _ => mask(value, rules),
    }
}

fn mask(value: &mut Json, rules: &[FieldRule]) {
    match value {
        Json::Null | Json::Bool(_) => {}
        Json::Number(number) if number.as_str().len() < SECRET_CHARS_MIN => {}
        Json::Number(_) => *value = MASK.into(),
        Json::String(text) if may_hide_secret(text, rules) => MASK.clone_into(text),
        Json::String(_) => {}
        Json::Array(items) => items.iter_mut().for_each(|item| mask(item, rules)),
        Json::Object(members) => {
            for (name, member) in members {
                match rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(name)) {
                    Some(rule) => mask_field(member, rule, rules),
                    None => mask(member, rules),
                }
            }
        }
    }
}

/// Whether enough is left of a text to be a secret, when the names of fields and the marks that hold a form or a JSON
/// text together are taken out: a body sent with the wrong content type arrives here as one text.
fn may_hide_secret(text: &str, rules: &[FieldRule]) -> bool {
    let values = rules.iter().fold(text.to_ascii_lowercase(), |rest, rule| rest.replace(rule.name, ""));
    let is_mark = |c: char| c.is_whitespace() || "{}[]\":,=&".contains(c);
    values.chars().filter(|c| !is_mark(*c)).count() >= SECRET_CHARS_MIN
}

#[cfg(test)]
mod tests {
    use super::{of_field, of_value};
    use crate::json::parse;
    use crate::validation::FieldRule;

    const RULES: [FieldRule; 2] =
        [FieldRule { name: "email", secret: false }, FieldRule { name: "refresh_token", secret: true }];

    #[test]
    fn a_body_is_shown_without_its_secrets() {
        let cases = [
            (r#"{"email":"someone@example.org"}"#, r#"{"email":"someone@example.org"}"#),
            (r#"{"refresh_token":"x"}"#, r#"{"refresh_token":"**********"}"#),
            (r#"{"REFRESH_TOKEN":"x"}"#, r#"{"REFRESH_TOKEN":"**********"}"#),
            (r#"{"refreshToken":"x"}"#, r#"{"refreshToken":"x"}"#),
            (r#"{"refreshToken":"eyJhbGci"}"#, r#"{"refreshToken":"**********"}"#),
            (r#"[{"user":{"pin":12345678,"tan":1234}}]"#, r#"[{"user":{"pin":"**********","tan":1234}}]"#),
            (r#""eyJhbGci""#, r#""**********""#),
            (r#""email=a&refresh_token=x""#, r#""email=a&refresh_token=x""#),
            (r#""{\"Refresh_Token\": \"x\"}""#, r#""{\"Refresh_Token\": \"x\"}""#),
            (r#""refresh_token=eyJhbGci""#, r#""**********""#),
        ];
        for (body, shown) in cases {
            let value = of_value(&parse(body.as_bytes()).unwrap(), &RULES);
            assert_eq!(serde_json::to_string(&value).unwrap(), shown);
        }
    }

    #[test]
    fn a_field_of_the_wrong_type_is_shown_unless_it_may_hold_the_secret() {
        let cases = [
            ("1", "1", "1"),
            ("null", "null", "null"),
            (r#"["x"]"#, r#"["x"]"#, r#"["x"]"#),
            ("123456789", "123456789", r#""**********""#),
            (r#"["correct horse"]"#, r#"["correct horse"]"#, r#"["**********"]"#),
            (r#""abc""#, r#""abc""#, r#""**********""#),
        ];
        for (value, plain, secret) in cases {
            let value = parse(value.as_bytes()).unwrap();
            let shown = |rule| serde_json::to_string(&of_field(&value, rule, &RULES)).unwrap();
            assert_eq!((shown(&RULES[0]).as_str(), shown(&RULES[1]).as_str()), (plain, secret));
        }
    }
}
