//! `/docs`: Swagger UI with our document, and the first steps above it.

use lanterne_core::config::{Config, Mail};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::layout::{head, header, to_top};
use crate::routes;

/// Renders the page, without inline scripts, which its policy forbids.
pub(super) fn page(config: &Config) -> Markup {
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
                (first_steps(config))
                (forgotten_password(&config.mail.mail))
                noscript { p.notice { "This page needs JavaScript. " a href=(routes::REDOC) { "The reference" } " does not." } }
                main id="swagger-ui" data-document=(routes::OPENAPI) { p.notice { "Loading …" } }
                (to_top())
            }
        }
    }
}

fn first_steps(config: &Config) -> Markup {
    html! {
        section.steps aria-label="First steps" {
            ol {
                @if config.registration {
                    li { strong { "Register" } " Open " a href="#/authentication/register" { code { "POST /auth/register" } }
                        ", press " em { "Try it out" } ", then " em { "Execute" } "." }
                } @else {
                    li { strong { "Get an account" } " Registration is closed: an administrator creates accounts with "
                        a href="#/admin/create_user" { code { "POST /admin/users" } } "." }
                }
                li { strong { "Log in" } " Do the same with " a href="#/authentication/login" { code { "POST /auth/login" } }
                    " and copy the " code { "access_token" } " from the reply." }
                li { strong { "Authorize" } " Press " em { "Authorize" } " and paste the token. Every request that needs it \
                    sends it from now on, such as " a href="#/me/show_me" { code { "GET /users/me" } } "." }
            }
        }
    }
}

/// The steps to a new password. They depend on where messages go.
fn forgotten_password(mail: &Mail) -> Markup {
    html! {
        details.steps {
            summary { "A forgotten password" }
            ol {
                @match mail {
                    Mail::Off => li { strong { "Create a token" } " As an administrator: "
                        a href="#/admin/issue_password_reset" { code { "POST /admin/users/{id}/password-reset" } } "." },
                    Mail::Log | Mail::Webhook(_) => li { strong { "Ask for a message" } " Execute "
                        a href="#/authentication/forgot_password" { code { "POST /auth/password/forgot" } }
                        " with the address of an account. The reply is the same for every address." },
                }
                @match mail {
                    Mail::Off => li { strong { "Hand it over" } " Give the " code { "token" } " or the " code { "url" }
                        " of the reply to the owner of the account." },
                    Mail::Log => li { strong { "Find the token" } " The message is a line in the log of the server, since "
                        code { "mail=log" } ": " code { "mail msg_… {\"type\":\"password.reset\",…}" } ". Copy its "
                        code { "token" } "." },
                    Mail::Webhook(_) => li { strong { "Find the token" } " The message goes to your app. Copy its "
                        code { "token" } ", or take it from the link that the app sends." },
                }
                li { strong { "Set the password" } " Execute "
                    a href="#/authentication/reset_password" { code { "POST /auth/password/reset" } }
                    " with the token, which works once. All sessions end. Log in again." }
            }
        }
    }
}
