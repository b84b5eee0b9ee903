//! The OpenAPI document, generated from the table of routes and the types of requests and replies.

use lanterne_core::config::{Config, Mail};
use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder};

use super::span;
use crate::app::VERSION;
use crate::routes;

/// The name of the API.
pub(crate) const TITLE: &str = "Lanterne Rouge API";
/// The version of the API, which is not that of the server.
pub(crate) const API_VERSION: &str = "v1";
/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";

/// A group of routes.
#[derive(Clone, Copy)]
pub(crate) enum Tag {
    Authentication,
    Me,
    Admin,
    Health,
}

impl Tag {
    /// All groups, in reading order.
    const ALL: [Self; 4] = [Self::Authentication, Self::Me, Self::Admin, Self::Health];

    /// Returns the name in the document.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Me => "me",
            Self::Admin => "admin",
            Self::Health => "health",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Authentication => "Registration, login, refresh and logout.",
            Self::Me => "Your own account and its sessions.",
            Self::Admin => "The accounts of others, and the audit log. For administrators.",
            Self::Health => "The server itself.",
        }
    }
}

/// Builds the document.
pub(super) fn document(config: &Config) -> OpenApi {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The `access_token` of a login or a refresh."))
        .build();
    let mut components = ComponentsBuilder::new().security_scheme(BEARER, SecurityScheme::Http(bearer));
    let mut paths = PathsBuilder::new();
    for (method, path, operation) in routes::described(config) {
        let (operation, schemas) = operation.build();
        // utoipa merges the methods of one path.
        paths = paths.path(path, PathItem::new(http_method(method), operation));
        components = schemas.into_iter().fold(components, |components, (name, schema)| components.schema(name, schema));
    }
    let tags = Tag::ALL.map(|tag| TagBuilder::new().name(tag.name()).description(Some(tag.about())).build());
    let info = InfoBuilder::new()
        .title(TITLE)
        .version(VERSION)
        .description(Some(about(config)))
        .license(Some(License::builder().name("MIT").identifier(Some("MIT")).build()));
    // Relative to the document, so that it is right behind any proxy.
    let server = ServerBuilder::new().url("/").description(Some("The server of this document.")).build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .tags(Some(tags))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// The introduction: paragraphs with `code`, the Markdown that the reference understands.
fn about(config: &Config) -> String {
    format!(
        "Accounts with e-mail address and password, and tokens that authenticate requests.\n\n\
         Register once and log in to get two tokens: an access token for the header `Authorization: Bearer ...` of every \
         request, which expires after {}, and a refresh token, which can be exchanged for a new pair once. A login with all \
         its refreshes is a session. Sessions can be listed and ended; the tokens of an ended session are refused at once.\n\n\
         {}\n\n\
         Requests and replies are JSON: send `Content-Type: application/json`. Every error is `{{\"detail\": ...}}`: a sentence, or for status 422 the list of all \
         faults. Every reply has an `X-Request-Id`, which the server's log mentions.",
        span(config.access_ttl),
        forgotten_password(&config.mail.mail)
    )
}

/// Tells how a forgotten password is replaced, which depends on where messages go.
fn forgotten_password(mail: &Mail) -> String {
    let source = match mail {
        Mail::Off => "an administrator gets from `POST /admin/users/{id}/password-reset` and hands over",
        Mail::Log => "`POST /auth/password/forgot` sends: as `mail` is `log`, it is in the log of the server",
        Mail::Webhook(_) => "`POST /auth/password/forgot` sends to the address of the account",
    };
    format!("A forgotten password is replaced with `POST /auth/password/reset` and a token that {source}.")
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
