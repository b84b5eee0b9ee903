//! Cross-origin requests, as Starlette's middleware answers them with credentials, any method and any header allowed.
//!
//! Written out rather than taken from tower-http, whose preflight replies differ from what the Python server's clients
//! get: status, body, the refusals, and the credentials header for origins that are not allowed.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lanterne_core::config::Config;

use crate::reply::{Reply, problem, text};

const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
const MAX_AGE_SECS: &str = "600";

/// The reply to a preflight request (Fetch, "CORS-preflight request"), if it is one; it never reaches a route.
pub(crate) fn preflight(config: &Config, request: &Parts) -> Option<Reply> {
    let origin = request.headers.get(header::ORIGIN)?;
    let method = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if request.method != Method::OPTIONS {
        return None;
    }
    let known_method = METHODS.iter().any(|known| method == known);
    let mut reply = match (is_allowed(config, origin), known_method) {
        (true, true) => text(StatusCode::OK, "OK"),
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

/// `reply` with the headers that tell a browser who may read it; without `Origin` there is nobody to tell.
pub(crate) fn headers(config: &Config, request: &HeaderMap, mut reply: Reply) -> Reply {
    if let Some(origin) = request.get(header::ORIGIN) {
        let headers = reply.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if is_allowed(config, origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            // Beside what else the reply varies by; a preflight reply says this already.
            let origin = HeaderValue::from_static("Origin");
            if headers.get_all(header::VARY).iter().all(|value| value != origin) {
                headers.append(header::VARY, origin);
            }
        }
    }
    reply
}

fn is_allowed(config: &Config, origin: &HeaderValue) -> bool {
    config.cors_origins.iter().any(|allowed| origin == allowed)
}
