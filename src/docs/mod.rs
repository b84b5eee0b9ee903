//! The documentation: the OpenAPI document, Swagger UI and a static reference.
//!
//! The component contains all files: no page loads anything from another host, which its Content-Security-Policy enforces.

mod address;
mod assets;
mod caching;
mod layout;
mod openapi;
mod operation;
mod reference;
mod schema;
mod swagger_ui;

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lanterne_core::config::Config;
use maud::Markup;
use sha2::{Digest as _, Sha256};

pub(crate) use openapi::{API_VERSION, TITLE, Tag};
pub(crate) use operation::Operation;

use crate::call::Call;
use crate::error::Error;
use crate::reply::{Reply, with_body};

/// What the reference may load.
const REFERENCE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                                form-action 'none'; frame-ancestors 'none'";
/// What Swagger UI may load: also scripts, replies of this API, and inline styles and icons.
const SWAGGER_UI_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
                                 style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
                                 form-action 'self'; frame-ancestors 'none'";

/// `GET /openapi.json`
pub(crate) async fn openapi(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(call.app.pages.openapi(&call.app.config).reply(call.headers))
}

/// `GET /docs`
pub(crate) async fn swagger_ui(call: &Call<'_>) -> Result<Reply, Error> {
    Ok(call.app.pages.swagger_ui(&call.app.config).reply(call.headers))
}

/// `GET /redoc`
pub(crate) async fn reference(call: &Call<'_>) -> Result<Reply, Error> {
    let page = call.app.pages.reference(&call.app.config);
    Ok(page.with_address(&address::requested(call)).reply(call.headers))
}

/// `GET /docs/assets/{version}/{name}`
pub(crate) async fn asset(call: &Call<'_>) -> Result<Reply, Error> {
    let asset = assets::find(call.param("version"), call.param("name")).ok_or(Error::NotFound)?;
    Ok(asset.reply(call.headers))
}

/// The pages, each rendered on its first request.
#[derive(Default)]
pub(crate) struct Pages {
    openapi: OnceLock<Page>,
    swagger_ui: OnceLock<Page>,
    reference: OnceLock<Page>,
}

impl Pages {
    fn openapi(&self, config: &Config) -> &Page {
        self.openapi.get_or_init(|| {
            // Maps with string keys: this cannot fail.
            let json = serde_json::to_string(&openapi::document(config)).unwrap_or_default();
            Page::new("application/json", None, json)
        })
    }

    fn swagger_ui(&self, config: &Config) -> &Page {
        self.swagger_ui.get_or_init(|| Page::html(SWAGGER_UI_POLICY, swagger_ui::page(config)))
    }

    fn reference(&self, config: &Config) -> &Page {
        self.reference.get_or_init(|| {
            let document = serde_json::to_value(openapi::document(config)).unwrap_or_default();
            Page::html(REFERENCE_POLICY, reference::page(&document))
        })
    }
}

/// A page that is constant for the lifetime of the application.
struct Page {
    content_type: &'static str,
    policy: Option<&'static str>,
    etag: String,
    body: Bytes,
}

impl Page {
    fn html(policy: &'static str, markup: Markup) -> Self {
        Self::new("text/html; charset=utf-8", Some(policy), markup.into_string())
    }

    fn new(content_type: &'static str, policy: Option<&'static str>, text: String) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..9]);
        Self { content_type, policy, etag: format!("\"{digest}\""), body: text.into() }
    }

    /// Returns the page with the address of the server in its examples.
    fn with_address(&self, address: &str) -> Self {
        let text = String::from_utf8_lossy(&self.body).replace(address::PLACEHOLDER, address);
        Self::new(self.content_type, self.policy, text)
    }

    /// Returns the page, or 304 if the client has it.
    fn reply(&self, request: &HeaderMap) -> Reply {
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

/// Formats a configured duration: `30 minutes`, `1 day`.
pub(crate) fn span(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (count, unit) = match secs {
        _ if secs.is_multiple_of(86_400) => (secs / 86_400, "day"),
        _ if secs.is_multiple_of(3_600) => (secs / 3_600, "hour"),
        _ if secs.is_multiple_of(60) => (secs / 60, "minute"),
        _ => (secs, "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
