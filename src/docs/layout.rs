//! What both pages share.

use maud::{Markup, html};

use super::assets;
use super::openapi::TITLE;
use crate::routes;

/// The head of both pages, with style sheets in this order.
pub(super) fn head(what: &str, styles: &[&str]) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (TITLE) " · " (what) }
        link rel="icon" type="image/svg+xml" href=(assets::path("lantern.svg"));
        @for style in styles { link rel="stylesheet" href=(assets::path(style)); }
    }
}

/// The bar of both pages.
pub(super) fn header(current: &str) -> Markup {
    let pages = [(routes::DOCS, "Try it out"), (routes::REDOC, "Reference"), (routes::OPENAPI, "openapi.json")];
    html! {
        header.bar #top {
            a.brand href=(routes::DOCS) { img src=(assets::path("lantern.svg")) alt="" width="28" height="28"; (TITLE) }
            nav aria-label="Pages" {
                @for (path, name) in pages {
                    a href=(path) aria-current=[(path == current).then_some("page")] { (name) }
                }
            }
        }
    }
}

/// The way back to the top, which is shown once the first screen is out of sight.
pub(super) fn to_top() -> Markup {
    html! {
        nav.to-top aria-label="Back to top" { a href="#top" { span aria-hidden="true" { "↑" } " Top" } }
    }
}
