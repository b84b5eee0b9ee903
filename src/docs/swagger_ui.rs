//! `/docs`: Swagger UI with our document, and the first steps above it.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::layout::{head, header, to_top};
use crate::routes;

/// Renders the page, without inline scripts, which its policy forbids.
pub(super) fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head("Try it out", &["swagger-ui.css", "page.css", "docs.css"]))
                script src=(assets::path("swagger-ui-bundle.js")) defer {}
                script src=(assets::path("docs.js")) defer {}
            }
            body {
                (header(routes::DOCS))
                (first_steps())
                noscript { p.notice { "This page needs JavaScript. " a href=(routes::REDOC) { "The reference" } " does not." } }
                main id="swagger-ui" data-document=(routes::OPENAPI) { p.notice { "Loading …" } }
                (to_top())
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
