//! Responses, which are buffered before they are sent, and the responses of the host itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use http_body_util::Full;

/// A buffered response.
pub(crate) type Response = http::Response<Full<Bytes>>;

/// Returns an error in FastAPI's format: `{"detail":"Not Found"}`.
pub(crate) fn error(status: StatusCode) -> Response {
    detail(status, status.canonical_reason().unwrap_or("Error"))
}

/// Returns the response to a request that no instance could take in time.
pub(crate) fn busy() -> Response {
    let mut response = detail(StatusCode::SERVICE_UNAVAILABLE, "The server is busy");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// Adds `Connection: close`.
pub(crate) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn detail(status: StatusCode, detail: &str) -> Response {
    let mut response = Response::new(Bytes::from(format!(r#"{{"detail":"{detail}"}}"#)).into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
