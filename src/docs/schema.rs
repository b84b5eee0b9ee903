//! Reads JSON and the JSON Schemas of the document.

use serde_json::{Map, Value};

/// Follows the reference of a schema, if it is one.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// Names the type of a value: `string`, `string (email)`, `list of integer`, `boolean or null`.
pub(super) fn type_name(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    let alternatives = ["oneOf", "anyOf"].into_iter().find_map(|key| schema[key].as_array());
    if let Some(alternatives) = alternatives {
        let mut names: Vec<String> = alternatives.iter().map(|one| type_name(document, one)).collect();
        names.dedup();
        return names.join(" or ");
    }
    let named = |name: &str| match name {
        "array" => format!("list of {}", type_name(document, &schema["items"])),
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

/// Lists the rules of a value: `8 to 100 characters`.
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

/// Returns an example of the schema, or one composed of the examples of its properties.
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

/// Formats JSON with indentation.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Returns a string, or an empty one.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the items of an array, or none.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns the members of an object, or none.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}
