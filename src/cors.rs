//! Cross-origin requests, answered as by Starlette's middleware with credentials and all methods and headers allowed. Scripts
//! can also read the headers that they need to react to an error.
//!
//! tower-http is not used: its preflight replies differ from the Python server's in status, body, refusals, and in the
//! credentials header for other origins.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lanterne_core::config::Config;

use crate::reply::{Reply, problem, with_body};

const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
const MAX_AGE_SECS: &str = "600";
/// The response headers that scripts may read, besides the safelisted ones (Fetch, section 4.6).
const EXPOSED: &str = "Retry-After, X-Request-Id";

/// Answers a preflight request (Fetch, "CORS-preflight request") in place of a route; `None` if it is not one.
pub(crate) fn preflight(config: &Config, request: &Parts) -> Option<Reply> {
    let origin = request.headers.get(header::ORIGIN)?;
    let method = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if request.method != Method::OPTIONS {
        return None;
    }
    let is_known_method = METHODS.iter().any(|known| method == known);
    let mut reply = match (is_allowed(config, origin), is_known_method) {
        (true, true) => with_body(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(b"OK")),
        (true, false) => problem(StatusCode::BAD_REQUEST, "Disallowed CORS method"),
        (false, true) => problem(StatusCode::BAD_REQUEST, "Disallowed CORS origin"),
        (false, false) => problem(StatusCode::BAD_REQUEST, "Disallowed CORS origin, method"),
    };
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECS));
    if let Ok(methods) = HeaderValue::from_str(&METHODS.join(", ")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(requested) = request.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    Some(reply)
}

/// Adds the headers that let scripts of allowed origins read `reply`.
pub(crate) fn add_headers(config: &Config, request: &HeaderMap, reply: &mut Reply) {
    let Some(origin) = request.get(header::ORIGIN) else { return };
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if !is_allowed(config, origin) {
        return;
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    // A preflight reply has it already.
    let vary = HeaderValue::from_static("Origin");
    if headers.get_all(header::VARY).iter().all(|value| value != vary) {
        headers.append(header::VARY, vary);
    }
}

fn is_allowed(config: &Config, origin: &HeaderValue) -> bool {
    // Apps may send the host of a scheme of their own in any case.
    config.cors_origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
}
