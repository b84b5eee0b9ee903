//! Variables in the steps of a scenario.
//!
//! `${name}` is the value of a variable, `${now}` the Unix time in seconds, and `${'text'}` a literal. A string that
//! consists of one such expression becomes its value, whatever the type. Filters follow, as in `${token|part 1|flip 10}`:
//!
//! | filter | result |
//! | --- | --- |
//! | `text` | the value as a string |
//! | `times N` | the string repeated N times |
//! | `plus N` | the number plus N |
//! | `part N` | the part of a token at index N, from 0 |
//! | `flip N` | the string with another character at index N, from the end if negative |
//! | `cut N` | the string without its last N characters |

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) type Variables = BTreeMap<String, Value>;

/// Replaces the expressions in `value`.
///
/// # Errors
/// A variable without a value, or a filter that does not apply to its value.
pub(super) fn fill(value: &Value, variables: &Variables) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => fill_text(text, variables)?,
        Value::Array(items) => items.iter().map(|item| fill(item, variables)).collect::<Result<_, _>>()?,
        Value::Object(members) => {
            let filled = members.iter().map(|(name, value)| Ok((name.clone(), fill(value, variables)?)));
            Value::Object(filled.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

fn fill_text(text: &str, variables: &Variables) -> Result<Value, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, (expression, after))) =
        rest.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let value = evaluate(expression, variables)?;
        if expression.len() + "${}".len() == text.len() {
            return Ok(value);
        }
        filled.push_str(before);
        filled.push_str(&as_text(&value));
        rest = after;
    }
    Ok(json!(filled + rest))
}

fn evaluate(expression: &str, variables: &Variables) -> Result<Value, String> {
    let mut parts = expression.split('|');
    let name = parts.next().unwrap_or_default();
    let literal = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    let value = match literal {
        Some(text) => Some(json!(text)),
        None if name == "now" => Some(json!(Timestamp::now().as_second())),
        None => variables.get(name).cloned(),
    };
    parts.try_fold(value.ok_or(format!("no value for {name}"))?, |value, filter| {
        apply(filter, &value).ok_or(format!("{filter} does not apply to {value}"))
    })
}

fn apply(filter: &str, value: &Value) -> Option<Value> {
    let (filter, number) = filter.split_once(' ').unwrap_or((filter, "0"));
    let number: i64 = number.parse().ok()?;
    let count = usize::try_from(number.unsigned_abs()).ok()?;
    if filter == "plus" {
        return Some(json!(value.as_i64()? + number));
    }
    let text = as_text(value);
    Some(json!(match filter {
        "text" => text,
        "times" => text.repeat(count),
        "part" => text.split('.').nth(count)?.to_owned(),
        "cut" => text.get(..text.len().checked_sub(count)?)?.to_owned(),
        "flip" => {
            let index = if number < 0 { text.len().checked_sub(count)? } else { count };
            let other = if text.get(index..=index)? == "A" { "B" } else { "A" };
            format!("{}{other}{}", &text[..index], &text[index + 1..])
        }
        _ => return None,
    }))
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
