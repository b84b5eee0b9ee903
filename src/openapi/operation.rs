//! The vocabulary in which a route is described.

use std::collections::BTreeMap;

use http::StatusCode;
use lanterne_core::error::Error;
use lanterne_core::validation::Request;
use utoipa::openapi::path::{self, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::Tag;
use super::failure::{self, Failure};
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

    /// Refers to the schema of `T` and remembers it, with those it refers to itself.
    fn content<T: ToSchema>(&mut self) -> ContentBuilder {
        self.schemas.push((T::name().into_owned(), <T as PartialSchema>::schema()));
        T::schemas(&mut self.schemas);
        ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name())))
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
