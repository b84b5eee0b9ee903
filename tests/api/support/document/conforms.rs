//! Validates values against the document's schemas: the subset of JSON Schema that the document uses.

use serde_json::Value;

/// The first violation of `schema` in `value`.
pub(crate) fn fault(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return fault(document, target(document, reference), value);
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let fitting = alternatives.iter().filter(|one| fault(document, one, value).is_none()).count();
        return (fitting != 1).then(|| format!("{value} fits {fitting} of {alternatives:?}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind, value)) {
        return Some(format!("{value} is no {kinds:?}"));
    }
    if value.as_i64().zip(schema["minimum"].as_i64()).is_some_and(|(value, minimum)| value < minimum) {
        return Some(format!("{value} is too small"));
    }
    if let Some(items) = value.as_array() {
        return items.iter().find_map(|item| fault(document, &schema["items"], item));
    }
    let members = value.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.clone().find(|name| !members.contains_key(*name)) {
        return Some(format!("{missing} is missing in {value}"));
    }
    // Undocumented members are violations.
    let properties = schema["properties"].as_object()?;
    members.iter().find_map(|(name, member)| match properties.get(name) {
        Some(property) => fault(document, property, member),
        None => Some(format!("{name} is not documented")),
    })
}

/// Resolves a reference.
#[track_caller]
pub(crate) fn target<'a>(document: &'a Value, reference: &str) -> &'a Value {
    let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out of the document"));
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}
