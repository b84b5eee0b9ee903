//! The parts that every route of the reference is made of: its fields and its errors.

use maud::{Markup, html};
use serde_json::Value;

use super::prose;
use super::schema::{kind, resolve, rules};

/// So many reasons for one status stand there openly.
const REASONS_SHOWN_MAX: usize = 3;

/// The members of an object, each with its kind, its rules and what it is.
pub(super) fn fields(document: &Value, schema: &Value) -> Markup {
    let schema = resolve(document, schema);
    let required: Vec<&Value> = list(&schema["required"]).collect();
    html! {
        dl.fields {
            @for (name, property) in members(&schema["properties"]) {
                @let about = text(&resolve(document, property)["description"]);
                (field(document, name, property, required.iter().any(|required| *required == name), about))
            }
        }
    }
}

/// What stands in the path, and behind the question mark.
pub(super) fn parameters(document: &Value, parameters: &Value) -> Markup {
    html! {
        dl.fields {
            @for parameter in list(parameters) {
                @let is_required = parameter["required"] == true;
                (field(document, text(&parameter["name"]), &parameter["schema"], is_required, text(&parameter["description"])))
            }
        }
    }
}

fn field(document: &Value, name: &str, schema: &Value, is_required: bool, about: &str) -> Markup {
    html! {
        dt {
            code { (name) }
            span.kind { (kind(document, schema)) }
            @if !is_required { span.rule { "optional" } }
            @for rule in rules(document, schema) { span.rule { (rule) } }
        }
        dd {
            (prose::line(about))
            @let items = resolve(document, &resolve(document, schema)["items"]);
            @if items["properties"].is_object() { (fields(document, items)) }
        }
    }
}

/// The errors, a line a reason; what is long, or one of many, opens on a click.
pub(super) fn errors(failures: &[(&str, &Value)]) -> Markup {
    html! {
        ul.errors {
            @for (status, response) in failures {
                @let reasons: Vec<_> = members(&response["content"]["application/json"]["examples"]).collect();
                @if reasons.len() > REASONS_SHOWN_MAX {
                    li {
                        (badge(status))
                        details {
                            summary { (reasons.len()) " reasons: " code { "detail" } " tells which" }
                            ul.errors { @for (_, example) in &reasons { li { (badge(status)) (reason(example)) } } }
                        }
                    }
                } @else {
                    @for (_, example) in &reasons { li { (badge(status)) (reason(example)) } }
                }
            }
        }
    }
}

/// What an error says, and when.
fn reason(example: &Value) -> Markup {
    let detail = &example["value"]["detail"];
    html! {
        @if let Some(sentence) = detail.as_str() {
            div { code { (sentence) } p { (text(&example["summary"])) } }
        } @else {
            details {
                summary { (text(&example["summary"])) }
                pre tabindex="0" { code { (pretty(&example["value"])) } }
            }
        }
    }
}

/// A status, in the colour of its class.
pub(super) fn badge(status: &str) -> Markup {
    html! { span.status data-class=(status.get(..1).unwrap_or_default()) { (status) } }
}

/// JSON for people.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A text, empty if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list, none if it is none.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The members of an object, none if it is none.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}
