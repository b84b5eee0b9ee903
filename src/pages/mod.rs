//! The documentation as people and programs get it: `/openapi.json`, `/docs`, `/redoc` and the files behind them.
//!
//! Everything comes out of the component itself: the pages ask no other host for anything, and say so to the browser
//! in their Content-Security-Policy. Each is made once in the life of an instance.

pub(crate) mod assets;
mod caching;
mod parts;
mod prose;
mod reference;
mod schema;
mod swagger_ui;

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};
use spin_sdk::http::HeaderMap;

use crate::openapi;
use crate::reply::{Reply, with_body};

/// What a reference without scripts may load.
const READING: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                       frame-ancestors 'none'";
/// What Swagger UI needs beside that: its scripts, requests to this API, and the styles and icons it writes itself.
const INTERACTING: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A text that stays the same as long as the instance lives.
pub(crate) struct Page {
    content_type: &'static str,
    policy: Option<&'static str>,
    etag: String,
    body: Bytes,
}

/// The OpenAPI document.
pub(crate) fn document() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| {
        // Maps with text keys: serialising them cannot fail.
        let json = serde_json::to_string(&openapi::document()).unwrap_or_default();
        Page::new("application/json", None, json)
    })
}

/// The page to try the API out.
pub(crate) fn swagger_ui() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| Page::html(INTERACTING, swagger_ui::page()))
}

/// The page to read about it.
pub(crate) fn reference() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| {
        let document = serde_json::to_value(openapi::document()).unwrap_or_default();
        Page::html(READING, reference::page(&document))
    })
}

impl Page {
    fn html(policy: &'static str, markup: maud::Markup) -> Self {
        Self::new("text/html; charset=utf-8", Some(policy), markup.into_string())
    }

    fn new(content_type: &'static str, policy: Option<&'static str>, text: String) -> Self {
        let digest: String = Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, policy, etag: format!("\"{digest}\""), body: text.into() }
    }

    /// The page, unless the client has it.
    pub(crate) fn reply(&self, request: &HeaderMap) -> Reply {
        let mut reply = if caching::is_fresh(request, &self.etag) {
            caching::not_modified()
        } else {
            with_body(StatusCode::OK, self.content_type, self.body.clone())
        };
        caching::mark(&mut reply, &self.etag, "no-cache");
        if let Some(policy) = self.policy {
            reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        reply
    }
}
