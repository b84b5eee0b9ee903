//! The OpenAPI document, made of what the table of routes says and of the very types that requests and replies have.
//!
//! A line of the table names a function that describes its route in the vocabulary of [`operation`]; they stand here,
//! one module a group of routes as in `handlers`. Examples of errors are what `crate::error` really answers.

mod failure;
mod operation;

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod health;
pub(crate) mod me;

pub(crate) use operation::{Operation, operation};

use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder};

use crate::routes;

/// The API's name, on every page.
pub(crate) const TITLE: &str = "Lanterne Rouge API";
/// The contract's version, which is not the server's.
pub(crate) const VERSION: &str = "v1";

/// What the API is, in the subset of Markdown that `pages::prose` knows.
const ABOUT: &str = "\
Accounts with e-mail address and password, and the tokens that prove who is asking.

Register once, log in, and you hold two tokens: an access token for each request, in the header \
`Authorization: Bearer ...`, and a refresh token that buys the next pair, once, when the access token has expired \
after half an hour. Everything from a login on, with all its refreshes, is one session: it can be seen and ended, \
and with it end its tokens, at once.

Requests and replies are JSON. Whatever goes wrong, the reply is `{\"detail\": ...}`: a sentence, or for status 422 the \
list of everything that is wrong with the request. Every reply has an `X-Request-Id`, under which the server's log knows it.";

/// How a request says who is asking.
const BEARER: &str = "bearer";

/// The groups of routes, in the order in which they are read.
#[derive(Clone, Copy)]
pub(crate) enum Tag {
    /// Getting in, and out.
    Authentication,
    /// One's own account.
    Me,
    /// Everybody's accounts.
    Admin,
    /// The server itself.
    Health,
}

impl Tag {
    const ALL: [Self; 4] = [Self::Authentication, Self::Me, Self::Admin, Self::Health];

    /// Its name in the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Me => "me",
            Self::Admin => "admin",
            Self::Health => "health",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Authentication => "From a new account to tokens, from old tokens to new ones, and out again.",
            Self::Me => "Your own account, and where it is logged in.",
            Self::Admin => "Everybody's accounts, and who did what. For administrators.",
            Self::Health => "Who answers here, and that it answers.",
        }
    }
}

/// The document of every route in the table.
pub(crate) fn document() -> OpenApi {
    let mut components = ComponentsBuilder::new().security_scheme(
        BEARER,
        SecurityScheme::Http(
            Http::builder()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("The `access_token` of a login or a refresh."))
                .build(),
        ),
    );
    let mut paths = PathsBuilder::new();
    for (method, path, operation) in routes::documented() {
        let (operation, schemas) = operation.build();
        // utoipa merges the methods of one path.
        paths = paths.path(path, PathItem::new(http_method(method), operation));
        components = schemas.into_iter().fold(components, |components, (name, schema)| components.schema(name, schema));
    }
    let tags = Tag::ALL.map(|tag| TagBuilder::new().name(tag.name()).description(Some(tag.about())).build());
    let info = InfoBuilder::new()
        .title(TITLE)
        .version(VERSION)
        .description(Some(ABOUT))
        .license(Some(License::builder().name("MIT").identifier(Some("MIT")).build()));
    OpenApiBuilder::new().info(info).tags(Some(tags)).paths(paths.build()).components(Some(components.build())).build()
}

fn http_method(method: &http::Method) -> HttpMethod {
    match *method {
        http::Method::POST => HttpMethod::Post,
        http::Method::PUT => HttpMethod::Put,
        http::Method::PATCH => HttpMethod::Patch,
        http::Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
