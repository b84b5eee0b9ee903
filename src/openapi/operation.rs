//! The vocabulary in which a route is described.

use std::collections::BTreeMap;

use http::StatusCode;
use lanterne_core::error::{Denial, Error};
use lanterne_core::validation::{self, FieldSchema, Id, Request};
use utoipa::openapi::path::{self, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::failure::{self, Failure};
use super::{BEARER, Tag};
use crate::call;
use crate::reply::Reply;
use crate::{error, reply};

/// The schemas that an operation refers to, with their names.
type Schemas = Vec<(String, RefOr<Schema>)>;

const JSON: &str = "application/json";

/// A route as its reader sees it.
pub(crate) struct Operation {
    operation: OperationBuilder,
    schemas: Schemas,
    failures: BTreeMap<StatusCode, Vec<Failure>>,
}

/// Begins the description of a route. `id` names it for generated clients; `summary` is its headline.
pub(crate) fn operation(id: &str, tag: Tag, summary: &str) -> Operation {
    let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag.name()).summary(Some(summary));
    Operation { operation, schemas: Vec::new(), failures: BTreeMap::new() }
}

impl Operation {
    /// What the route does, in Markdown.
    pub(crate) fn about(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// The id of a row as the last piece of its path.
    pub(crate) fn takes_id(mut self, about: &'static str) -> Self {
        let field = FieldSchema::new::<Id>("id", &[about]);
        self.operation = self.operation.parameter(parameter(ParameterIn::Path, field));
        match validation::parse_id("id", "seven") {
            Err(faults) => self.fails("The id is no number", Error::Invalid(faults)),
            Ok(_) => self,
        }
    }

    /// What may stand behind its question mark; `invalid` is something to show the faults of.
    pub(crate) fn asks<T: Request>(mut self, invalid: &str) -> Self {
        for field in T::fields() {
            self.operation = self.operation.parameter(parameter(ParameterIn::Query, field));
        }
        match validation::parse_query::<T>(invalid) {
            Err(faults) => self.fails("Parameters break their rules", Error::Invalid(faults)),
            Ok(_) => self,
        }
    }

    /// The body it reads, with all that can be wrong with any body; `invalid` is one to show the faults of.
    pub(crate) fn reads<T: Request + ToSchema>(mut self, invalid: &str) -> Self {
        let body = RequestBodyBuilder::new().content(JSON, self.content::<T>().build()).required(Some(Required::True));
        self.operation = self.operation.request_body(Some(body.build()));
        let refused = |body: &str| call::read_body::<T>(None, body.as_bytes()).err();
        let examples = [("Fields break their rules", invalid), ("Fields are missing", "{}"), ("Not JSON", "{")];
        for (when, body) in examples {
            if let Some(fault) = refused(body) {
                self = self.fails(when, fault);
            }
        }
        self.fails("The body is not UTF-8, or nested too deeply", Error::Unparseable)
            .answers("The body is too large", error::too_large())
    }

    /// What it replies when all is well.
    pub(crate) fn replies<T: ToSchema>(mut self, status: StatusCode, description: &str) -> Self {
        let response = ResponseBuilder::new().description(description).content(JSON, self.content::<T>().build());
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// A list that it replies when all is well.
    pub(crate) fn replies_list<T: ToSchema>(mut self, status: StatusCode, description: &str) -> Self {
        let items = self.reference::<T>();
        let content = ContentBuilder::new().schema(Some(ArrayBuilder::new().items(items))).build();
        let response = ResponseBuilder::new().description(description).content(JSON, content);
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// That all is well is all that it replies.
    pub(crate) fn replies_nothing(mut self, description: &str) -> Self {
        let response = ResponseBuilder::new().description(description).build();
        self.operation = self.operation.response(StatusCode::NO_CONTENT.as_str(), response);
        self
    }

    /// That it is for people with an access token only. The table of routes says so, and not the description.
    pub(crate) fn needs_login(mut self) -> Self {
        self.operation = self.operation.security(SecurityRequirement::new(BEARER, [] as [&str; 0]));
        self.fails("No access token", Denial::Missing.into())
            .fails("Not a token of this server, or expired", Denial::Token.into())
            .fails("A refresh token", Denial::Type.into())
            .fails("Its account is gone", Denial::User.into())
            .fails("Its session was ended", Denial::Session.into())
            .fails("Its account is switched off", Error::AccountInactive)
    }

    /// That it is for administrators only, likewise.
    pub(crate) fn needs_admin(self) -> Self {
        self.needs_login().fails("Its account is no administrator's", Error::NotAdmin)
    }

    /// An error of the domain that it can end with: shown as `crate::error` answers it.
    pub(crate) fn fails(self, when: &'static str, fault: Error) -> Self {
        self.answers(when, error::reply(fault))
    }

    /// Everything that can go wrong with the server itself.
    pub(crate) fn may_break(self) -> Self {
        self.answers("The server's own fault, which its log tells", error::internal())
            .answers("The server's variables are not as they should be", error::not_configured())
    }

    fn answers(mut self, when: &'static str, reply: Reply) -> Self {
        self.failures.entry(reply.status()).or_default().push(Failure::new(when, &reply));
        self
    }

    fn content<T: ToSchema>(&mut self) -> ContentBuilder {
        ContentBuilder::new().schema(Some(self.reference::<T>()))
    }

    /// Refers to the schema of `T` and remembers it, with those it refers to itself.
    fn reference<T: ToSchema>(&mut self) -> Ref {
        self.schemas.push((T::name().into_owned(), <T as PartialSchema>::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name())
    }

    /// The parts of the document.
    pub(super) fn build(mut self) -> (path::Operation, Schemas) {
        for (status, failures) in std::mem::take(&mut self.failures) {
            let content = if failures.iter().any(Failure::is_list) {
                self.content::<reply::Invalid>()
            } else {
                self.content::<reply::Problem>()
            };
            let response = failure::response(status, failures, content);
            self.operation = self.operation.response(status.as_str(), response);
        }
        (self.operation.build(), self.schemas)
    }
}

/// A parameter of a URL. What may be left out there cannot be `null`: a URL has no way to say so.
fn parameter(place: ParameterIn, field: FieldSchema) -> Parameter {
    let FieldSchema { name, mut schema, is_optional } = field;
    if let SchemaType::Array(types) = &schema.schema_type
        && let Some(only) = types.iter().find(|kind| **kind != Type::Null)
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
