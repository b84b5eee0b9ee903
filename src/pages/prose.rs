//! The Markdown that descriptions are written in: paragraphs, and `code` between backticks. The rest is text.

use maud::{Markup, html};

/// Paragraphs.
pub(super) fn paragraphs(text: &str) -> Markup {
    html! {
        @for paragraph in text.split("\n\n") {
            p { (line(paragraph)) }
        }
    }
}

/// A single line.
pub(super) fn line(text: &str) -> Markup {
    html! {
        @for (index, piece) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}
