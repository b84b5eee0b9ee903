//! `/redoc`: the OpenAPI document as a static page without scripts.

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::address::PLACEHOLDER;
use super::layout::{head, header, to_top};
use super::schema::{list, members, pretty, resolve, rules, sample, text, type_name};
use crate::routes;

/// More reasons for one status are collapsed.
const REASONS_SHOWN_MAX: usize = 3;

/// An operation of the document.
struct Entry<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

/// Renders the page.
pub(super) fn page(document: &Value) -> Markup {
    let operations = operations(document);
    let tags: Vec<&Value> = list(&document["tags"]).collect();
    let of = |tag: &Value| {
        let name = tag["name"].clone();
        operations.iter().filter(move |operation| list(&operation.value["tags"]).any(|tag| *tag == name))
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (head("Reference", &["page.css", "reference.css"])) }
            body {
                (header(routes::REDOC))
                div.columns {
                    nav.contents aria-label="Contents" {
                        a href="#introduction" { "Introduction" }
                        @for tag in &tags {
                            h2 { (text(&tag["name"])) }
                            @for operation in of(tag) {
                                a href={ "#" (id(operation)) } { (method(operation)) (text(&operation.value["summary"])) }
                            }
                        }
                    }
                    main {
                        (introduction(document))
                        @for tag in &tags {
                            section.group {
                                h2 { (text(&tag["name"])) }
                                p { (prose(text(&tag["description"]))) }
                            }
                            @for operation in of(tag) { (section(document, operation)) }
                        }
                    }
                }
                (to_top())
            }
        }
    }
}

fn introduction(document: &Value) -> Markup {
    let info = &document["info"];
    html! {
        section.introduction id="introduction" {
            h1 { (text(&info["title"])) " " span.version { (text(&info["version"])) } }
            (paragraphs(text(&info["description"])))
            p { "The examples use this server, " code { (PLACEHOLDER) } ". Send requests from the browser in "
                a href=(routes::DOCS) { "Swagger UI" } ", or generate a client from "
                a href=(routes::OPENAPI) { "the OpenAPI document" } "." }
        }
    }
}

fn section(document: &Value, operation: &Entry<'_>) -> Markup {
    let body = &operation.value["requestBody"]["content"]["application/json"]["schema"];
    let (failures, successes): (Vec<_>, Vec<_>) =
        members(&operation.value["responses"]).partition(|(status, _)| *status >= "400");
    html! {
        section.operation id=(id(operation)) {
            div.prose {
                h3 { (text(&operation.value["summary"])) }
                p.route { (method(operation)) code { (operation.path) } }
                @if needs_token(operation) { p.needs { "Needs an access token" (administrators(operation)) "." } }
                (paragraphs(text(&operation.value["description"])))
                @if operation.value["parameters"].is_array() { h4 { "Parameters" } (parameters(document, &operation.value["parameters"])) }
                @if !body.is_null() { h4 { "Request" } (fields(document, body)) }
                @for (status, response) in &successes { (success(document, status, response)) }
                @if !failures.is_empty() { h4 { "Errors" } (errors(&failures)) }
            }
            div.code {
                h4 { "Example" }
                pre.request tabindex="0" title="Click to select" { code { (curl(document, operation, body)) } }
                @for (status, response) in &successes {
                    p.caption { (badge(status)) " " (text(&response["description"])) }
                    @if !schema_of(response).is_null() {
                        pre tabindex="0" { code { (pretty(&sample(document, schema_of(response)))) } }
                    }
                }
            }
        }
    }
}

fn success(document: &Value, status: &str, response: &Value) -> Markup {
    let schema = schema_of(response);
    let is_list = schema["type"] == "array";
    html! {
        h4 { "Reply " (badge(status)) }
        @if schema.is_null() { p { (text(&response["description"])) } }
        @else if is_list { p { "A list; each of its entries has:" } (fields(document, &schema["items"])) }
        @else { (fields(document, schema)) }
    }
}

fn needs_token(operation: &Entry<'_>) -> bool {
    operation.value["security"].is_array()
}

fn administrators(operation: &Entry<'_>) -> &'static str {
    let is_for_them = list(&operation.value["tags"]).any(|tag| tag == "admin");
    if is_for_them { " of an administrator" } else { "" }
}

/// The request as a curl command.
fn curl(document: &Value, operation: &Entry<'_>, body: &Value) -> String {
    let path = list(&operation.value["parameters"]).fold(operation.path.to_owned(), |path, parameter| {
        path.replace(&format!("{{{}}}", text(&parameter["name"])), &sample(document, &parameter["schema"]).to_string())
    });
    let mut line = format!("curl {PLACEHOLDER}{path}");
    if operation.method != "get" && (operation.method != "post" || body.is_null()) {
        line.push_str(&format!(" \\\n  -X {}", operation.method.to_uppercase()));
    }
    if needs_token(operation) {
        line.push_str(" \\\n  -H \"Authorization: Bearer $ACCESS_TOKEN\"");
    }
    if !body.is_null() {
        let quoted = pretty(&sample(document, body)).replace('\'', "'\\''");
        line.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{quoted}'"));
    }
    line
}

fn operations(document: &Value) -> Vec<Entry<'_>> {
    let of = |(path, item)| members(item).map(move |(method, value)| Entry { method, path, value });
    members(&document["paths"]).flat_map(of).collect()
}

fn schema_of(response: &Value) -> &Value {
    &response["content"]["application/json"]["schema"]
}

fn id<'a>(operation: &Entry<'a>) -> &'a str {
    text(&operation.value["operationId"])
}

fn method(operation: &Entry<'_>) -> Markup {
    html! { span.method data-method=(operation.method) { (operation.method.to_uppercase()) } }
}

/// The properties of an object, each with type, rules and description.
fn fields(document: &Value, schema: &Value) -> Markup {
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

/// The parameters of path and query.
fn parameters(document: &Value, parameters: &Value) -> Markup {
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
            span.kind { (type_name(document, schema)) }
            @if !is_required { span.rule { "optional" } }
            @for rule in rules(document, schema) { span.rule { (rule) } }
        }
        dd {
            (prose(about))
            @let items = resolve(document, &resolve(document, schema)["items"]);
            @if items["properties"].is_object() { (fields(document, items)) }
        }
    }
}

/// The errors, one line per reason; long or many ones are collapsed.
fn errors(failures: &[(&str, &Value)]) -> Markup {
    html! {
        ul.errors {
            @for (status, response) in failures {
                @let reasons: Vec<_> = members(&response["content"]["application/json"]["examples"]).collect();
                @if reasons.len() > REASONS_SHOWN_MAX {
                    li {
                        (badge(status))
                        details {
                            summary { (reasons.len()) " reasons, given in " code { "detail" } }
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

/// A reason for an error: its `detail`, and when it occurs.
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

/// A status, in the color of its class.
fn badge(status: &str) -> Markup {
    html! { span.status data-class=(status.get(..1).unwrap_or_default()) { (status) } }
}

/// Markdown paragraphs.
fn paragraphs(text: &str) -> Markup {
    html! {
        @for paragraph in text.split("\n\n") { p { (prose(paragraph)) } }
    }
}

/// Markdown without paragraphs: text, and `code` between backticks.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, piece) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}
