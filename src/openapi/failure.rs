//! Errors in the document: one response a status, one example a reason.

use http::{StatusCode, header};
use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Response, ResponseBuilder};

use crate::reply::Reply;

/// One reason for an error, with the reply that it gets.
pub(super) struct Failure {
    when: &'static str,
    body: Value,
    challenge: Option<String>,
}

impl Failure {
    /// `reply` is what the server sends when that happens.
    pub(super) fn new(when: &'static str, reply: &Reply) -> Self {
        let challenge = reply.headers().get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        Self {
            when,
            // Our own replies are JSON.
            body: serde_json::from_slice(reply.body()).unwrap_or_default(),
            challenge: challenge.map(str::to_owned),
        }
    }

    /// Whether `detail` is the list of a 422.
    pub(super) fn is_list(&self) -> bool {
        self.body["detail"].is_array()
    }

    /// What the example is called where there are several.
    fn name(&self) -> String {
        let words = self.when.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("_").to_lowercase()
    }
}

/// The response of one status; `content` has the schema.
pub(super) fn response(status: StatusCode, failures: Vec<Failure>, content: ContentBuilder) -> Response {
    let description = match failures.as_slice() {
        [only] => format!("{}.", only.when),
        _ => format!("{}: `detail` tells why.", status.canonical_reason().unwrap_or("Error")),
    };
    let challenge = failures.iter().find_map(|failure| failure.challenge.clone());
    let examples = failures.into_iter().map(|failure| {
        let name = failure.name();
        (name, ExampleBuilder::new().summary(failure.when).value(Some(failure.body)).build())
    });
    let content = content.examples_from_iter(examples).build();
    let mut response = ResponseBuilder::new().description(description).content("application/json", content);
    if status == StatusCode::TOO_MANY_REQUESTS {
        let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).examples([30]);
        let about = "After how many seconds to try again (RFC 9110, section 10.2.3).";
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
        response = response.header("Retry-After", header);
    }
    if let Some(challenge) = challenge {
        let schema = ObjectBuilder::new().schema_type(Type::String).examples([challenge]);
        let about = "How to say who is asking (RFC 9110, section 11.6.1).";
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
        response = response.header("WWW-Authenticate", header);
    }
    response.build()
}
