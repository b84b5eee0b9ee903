//! The responses of the host itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::WasiBody;

/// An error as FastAPI words it: `{"detail":"Not Found"}`.
pub(crate) fn error(status: StatusCode) -> Response<WasiBody> {
    let detail = status.canonical_reason().unwrap_or("Error");
    let body = Full::new(Bytes::from(format!(r#"{{"detail":"{detail}"}}"#)));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// All instances were busy for as long as a request may wait.
pub(crate) fn overloaded() -> Response<WasiBody> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Makes `response` the last one on its connection.
pub(crate) fn closing(mut response: Response<WasiBody>) -> Response<WasiBody> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
