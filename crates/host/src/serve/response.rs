//! Responses that the host itself sends.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::WasiBody;

/// Returns an error in FastAPI's format: `{"detail":"Not Found"}`.
pub(crate) fn error(status: StatusCode) -> Response<WasiBody> {
    let detail = status.canonical_reason().unwrap_or("Error");
    let body = Full::new(Bytes::from(format!(r#"{{"detail":"{detail}"}}"#)));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns the response to a request that no instance could take in time.
pub(crate) fn overloaded() -> Response<WasiBody> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Adds `Connection: close`.
pub(crate) fn closing(mut response: Response<WasiBody>) -> Response<WasiBody> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
