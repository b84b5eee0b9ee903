//! Reading JSON Schemas out of the document: what kind of value, by which rules, for example which.

use serde_json::{Map, Value};

/// A schema itself, where the document has only a reference to it.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// `string`, `string (email)`, `list of integer`, `boolean or null`: in a word or two.
pub(super) fn kind(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    let alternatives = ["oneOf", "anyOf"].into_iter().find_map(|key| schema[key].as_array());
    if let Some(alternatives) = alternatives {
        let mut kinds: Vec<String> = alternatives.iter().map(|one| kind(document, one)).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    let named = |name: &str| match name {
        "array" => format!("list of {}", kind(document, &schema["items"])),
        _ => match schema["format"].as_str() {
            Some(format) if name == "string" && format != "password" => format!("{name} ({format})"),
            _ => name.to_owned(),
        },
    };
    match &schema["type"] {
        Value::String(name) => named(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(named).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

/// The rules of a value, in words.
pub(super) fn rules(document: &Value, schema: &Value) -> Vec<String> {
    let schema = resolve(document, schema);
    let mut rules = Vec::new();
    match (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        (Some(min), Some(max)) => rules.push(format!("{min} to {max} characters")),
        (Some(min), None) => rules.push(format!("at least {min} characters")),
        (None, Some(max)) => rules.push(format!("at most {max} characters")),
        (None, None) => {}
    }
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(min), Some(max)) => rules.push(format!("{min} to {max}")),
        (Some(min), None) => rules.push(format!("{min} or more")),
        (None, Some(max)) => rules.push(format!("{max} or less")),
        (None, None) => {}
    }
    if let Some(values) = schema["enum"].as_array() {
        rules.push(format!("one of {}", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")));
    }
    if !schema["default"].is_null() {
        rules.push(format!("{} if left out", schema["default"]));
    }
    rules
}

/// A value that fits, as the schema shows it or put together from what its parts show.
pub(super) fn sample(document: &Value, schema: &Value) -> Value {
    let schema = resolve(document, schema);
    if let Some(example) = schema["examples"].get(0) {
        return example.clone();
    }
    if let Some(properties) = schema["properties"].as_object() {
        let members = properties.iter().map(|(name, property)| (name.clone(), sample(document, property)));
        return Value::Object(members.collect::<Map<_, _>>());
    }
    match schema["type"].as_str() {
        Some("array") => Value::Array(vec![sample(document, &schema["items"])]),
        Some("integer" | "number") => 0.into(),
        Some("boolean") => true.into(),
        Some("string") => "...".into(),
        _ => Value::Null,
    }
}
