//! `/docs`: Swagger UI with our document, and the first steps above it.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::openapi::TITLE;
use crate::routes;

/// Renders the page, without inline scripts, which its policy forbids.
pub(super) fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head("Try it out"))
                link rel="stylesheet" href=(assets::path("swagger-ui.css"));
                link rel="stylesheet" href=(assets::path("docs.css"));
                script src=(assets::path("swagger-ui-bundle.js")) defer {}
                script src=(assets::path("docs.js")) defer {}
            }
            body {
                (header(routes::DOCS))
                (first_steps())
                noscript { p.notice { "This page needs JavaScript. " a href=(routes::REDOC) { "The reference" } " does not." } }
                main id="swagger-ui" data-document=(routes::OPENAPI) { p.notice { "Loading …" } }
            }
        }
    }
}

/// The head of both pages.
pub(super) fn head(what: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (TITLE) " · " (what) }
        link rel="icon" type="image/svg+xml" href=(assets::path("lantern.svg"));
    }
}

/// The bar of both pages.
pub(super) fn header(current: &str) -> Markup {
    let pages = [(routes::DOCS, "Try it out"), (routes::REDOC, "Reference"), (routes::OPENAPI, "openapi.json")];
    html! {
        header.bar {
            a.brand href=(routes::DOCS) { img src=(assets::path("lantern.svg")) alt="" width="28" height="28"; (TITLE) }
            nav aria-label="Pages" {
                @for (path, name) in pages {
                    a href=(path) aria-current=[(path == current).then_some("page")] { (name) }
                }
            }
        }
    }
}

fn first_steps() -> Markup {
    html! {
        section.steps aria-label="First steps" {
            ol {
                li { strong { "Register" } " Open " a href="#/authentication/register" { code { "POST /auth/register" } }
                    ", press " em { "Try it out" } ", then " em { "Execute" } "." }
                li { strong { "Log in" } " Do the same with " a href="#/authentication/login" { code { "POST /auth/login" } }
                    " and copy the " code { "access_token" } " from the reply." }
                li { strong { "Authorize" } " Press " em { "Authorize" } " and paste the token. Every request that needs it \
                    sends it from now on, such as " a href="#/me/show_me" { code { "GET /users/me" } } "." }
            }
        }
    }
}
