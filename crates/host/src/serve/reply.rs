//! The replies that the host gives itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::WasiBody;

/// A reply in the form of the API's own errors: the status, in words, as the detail.
pub(crate) fn error(status: StatusCode) -> Response<WasiBody> {
    let detail = status.canonical_reason().unwrap_or("Error");
    let body = Full::new(Bytes::from(format!(r#"{{"detail":"{detail}"}}"#)));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::REQUEST_TIMEOUT {
        // The rest of the body may still come, and would be taken for a request.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
