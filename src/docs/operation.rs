//! Describes a route for the OpenAPI document. The examples of errors are the server's own replies.

use std::collections::BTreeMap;

use http::{StatusCode, header};
use lanterne_core::blocklist::GuessablePassword;
use lanterne_core::config::Config;
use lanterne_core::error::{AccessTokenError, Error as DomainError};
use lanterne_core::throttle::PAUSE_MIN;
use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{self, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Header, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::openapi::{BEARER, Tag};
use crate::error::{Error, guessable};
use crate::input::{self, FieldSchema, Id, Request};
use crate::reply::{Invalid, Problem, Reply};

/// Named schemas that an operation refers to.
type Schemas = Vec<(String, RefOr<Schema>)>;

const JSON: &str = "application/json";

/// The description of a route.
pub(crate) struct Operation {
    operation: OperationBuilder,
    schemas: Schemas,
    failures: BTreeMap<StatusCode, Vec<Failure>>,
}

impl Operation {
    /// Starts a description. Generated clients use `id` as a name; `summary` is a headline.
    pub(crate) fn new(id: &str, tag: Tag, summary: &str) -> Self {
        let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag.name()).summary(Some(summary));
        Self { operation, schemas: Vec::new(), failures: BTreeMap::new() }
    }

    /// Documents what the route does, in Markdown.
    pub(crate) fn about(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// Documents the path parameter `{id}`.
    pub(crate) fn path_id(mut self, about: &'static str) -> Self {
        self.operation = self.operation.parameter(parameter(ParameterIn::Path, FieldSchema::new::<Id>("id", &[about])));
        self.fails_if("The id is not an integer", input::parse_id("id", "seven"))
    }

    /// Documents the query; the faults of `invalid` are the example of a 422.
    pub(crate) fn query<T: Request>(mut self, invalid: &str) -> Self {
        for field in T::fields() {
            self.operation = self.operation.parameter(parameter(ParameterIn::Query, field));
        }
        self.fails_if("Parameters break their rules", input::parse_query::<T>(invalid))
    }

    /// Documents the body; the faults of `invalid` are an example of a 422.
    pub(crate) fn body<T: Request + ToSchema>(mut self, invalid: &str) -> Self {
        let body = RequestBodyBuilder::new().content(JSON, self.content::<T>().build()).required(Some(Required::True));
        self.operation = self.operation.request_body(Some(body.build()));
        let parse =
            |content_type: &str, body: &str| input::parse_body::<T>(Some(content_type.as_bytes()), body.as_bytes());
        self.fails_if("Fields break their rules", parse(JSON, invalid))
            .fails_if("Fields are missing", parse(JSON, "{}"))
            .fails_if("The body is not JSON", parse(JSON, "{"))
            .fails_if("The Content-Type is not application/json", parse("application/x-www-form-urlencoded", "a=b"))
            .fails("The body is not UTF-8, or nested too deeply", Error::UnreadableBody)
            .fails("The body is larger than 64 KiB", Error::BodyTooLarge)
    }

    /// Documents the 422 of a password in the field `name` that many would guess.
    pub(crate) fn may_refuse_password(self, config: &Config, name: &'static str) -> Self {
        if !config.password_blocklist {
            return self;
        }
        let refused = |reason: GuessablePassword| guessable(name)(reason.into());
        self.fails("The password is too common", refused(GuessablePassword::Common))
            .fails("The password is the address", refused(GuessablePassword::Address))
    }

    /// Documents a reply with a body.
    pub(crate) fn replies<T: ToSchema>(mut self, status: StatusCode, description: &str) -> Self {
        let response = ResponseBuilder::new().description(description).content(JSON, self.content::<T>().build());
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// Documents a reply that is a list.
    pub(crate) fn replies_list<T: ToSchema>(mut self, status: StatusCode, description: &str) -> Self {
        let items = self.reference::<T>();
        let content = ContentBuilder::new().schema(Some(ArrayBuilder::new().items(items))).build();
        let response = ResponseBuilder::new().description(description).content(JSON, content);
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// Documents an empty 204.
    pub(crate) fn replies_empty(mut self, description: &str) -> Self {
        let response = ResponseBuilder::new().description(description).build();
        self.operation = self.operation.response(StatusCode::NO_CONTENT.as_str(), response);
        self
    }

    /// Documents that an access token is required. Called by the table of routes.
    pub(crate) fn requires_token(mut self) -> Self {
        self.operation = self.operation.security(SecurityRequirement::new(BEARER, [] as [&str; 0]));
        self.fails("There is no access token", AccessTokenError::Missing)
            .fails("It is malformed, expired, or not signed by this server", AccessTokenError::Invalid)
            .fails("It is a refresh token", AccessTokenError::WrongType)
            .fails("Its account is deleted", AccessTokenError::UserNotFound)
            .fails("Its session has ended", AccessTokenError::SessionEnded)
            .fails("Its account is inactive", DomainError::AccountInactive)
    }

    /// Documents that an administrator is required. Called by the table of routes.
    pub(crate) fn requires_admin(self) -> Self {
        self.requires_token().fails("Its account is not an administrator", DomainError::AdminRequired)
    }

    /// Documents the 429 of a route that checks a password.
    pub(crate) fn may_be_throttled(self, config: &Config) -> Self {
        if !config.throttle {
            return self;
        }
        self.fails("There were too many failed attempts", DomainError::Throttled(PAUSE_MIN.as_secs()))
    }

    /// Documents the errors that are the server's fault.
    pub(crate) fn may_fail(self) -> Self {
        self.fails("An internal error; the server's log contains the cause", DomainError::Internal(anyhow::anyhow!("")))
            .fails("The configuration is invalid", Error::NotConfigured)
            .fails("The database is locked, full, read-only, damaged or gone", Error::Unavailable(String::new()))
    }

    /// Documents an error.
    pub(crate) fn fails(mut self, when: &'static str, error: impl Into<Error>) -> Self {
        let reply = error.into().into_reply();
        self.failures.entry(reply.status()).or_default().push(Failure::new(when, &reply));
        self
    }

    fn fails_if<T>(self, when: &'static str, result: Result<T, Error>) -> Self {
        match result {
            Err(error) => self.fails(when, error),
            Ok(_) => self,
        }
    }

    fn content<T: ToSchema>(&mut self) -> ContentBuilder {
        ContentBuilder::new().schema(Some(self.reference::<T>()))
    }

    /// Returns a reference to the schema of `T`, and keeps that schema and those that it refers to.
    fn reference<T: ToSchema>(&mut self) -> Ref {
        self.schemas.push((T::name().into_owned(), <T as PartialSchema>::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name())
    }

    /// Returns the parts of the document.
    pub(super) fn build(mut self) -> (path::Operation, Schemas) {
        for (status, failures) in std::mem::take(&mut self.failures) {
            let is_list = failures.iter().any(|failure| failure.body["detail"].is_array());
            let content = if is_list { self.content::<Invalid>() } else { self.content::<Problem>() };
            self.operation = self.operation.response(status.as_str(), response(status, failures, content));
        }
        (self.operation.build(), self.schemas)
    }
}

/// Builds a parameter. An optional one is not nullable: a URL cannot express `null`.
fn parameter(place: ParameterIn, field: FieldSchema) -> Parameter {
    let FieldSchema { name, mut schema, is_optional } = field;
    if let SchemaType::Array(types) = &schema.schema_type
        && let Some(only) = types.iter().find(|schema_type| **schema_type != Type::Null)
    {
        schema.schema_type = SchemaType::Type(only.clone());
    }
    let required = if is_optional { Required::False } else { Required::True };
    let about = schema.description.take();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(about)
        .schema(Some(schema))
        .build()
}

/// One reason for an error, with its reply.
struct Failure {
    when: &'static str,
    body: Value,
    challenge: Option<String>,
}

impl Failure {
    fn new(when: &'static str, reply: &Reply) -> Self {
        let challenge = reply.headers().get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        // Replies to errors are JSON.
        let body = serde_json::from_slice(reply.body()).unwrap_or_default();
        Self { when, body, challenge: challenge.map(str::to_owned) }
    }

    /// Returns the name of the example.
    fn name(&self) -> String {
        let words = self.when.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("_").to_lowercase()
    }
}

/// Builds the response of one status, with an example per reason.
fn response(status: StatusCode, failures: Vec<Failure>, content: ContentBuilder) -> Response {
    let description = match failures.as_slice() {
        [only] => format!("{}.", only.when),
        _ => format!("{}: `detail` gives the reason.", status.canonical_reason().unwrap_or("Error")),
    };
    let challenge = failures.iter().find_map(|failure| failure.challenge.clone());
    let examples = failures.into_iter().map(|failure| {
        let name = failure.name();
        (name, ExampleBuilder::new().summary(failure.when).value(Some(failure.body)).build())
    });
    let content = content.examples_from_iter(examples).build();
    let mut response = ResponseBuilder::new().description(description).content(JSON, content);
    if status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).examples([PAUSE_MIN.as_secs()]);
        response =
            response.header("Retry-After", response_header(seconds, "The seconds to wait (RFC 9110, section 10.2.3)."));
    }
    if let Some(challenge) = challenge {
        let scheme = ObjectBuilder::new().schema_type(Type::String).examples([challenge]);
        let about = "The authentication scheme (RFC 9110, section 11.6.1).";
        response = response.header("WWW-Authenticate", response_header(scheme, about));
    }
    response.build()
}

fn response_header(schema: ObjectBuilder, about: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build()
}
