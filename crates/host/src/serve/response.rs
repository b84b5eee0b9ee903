//! Responses, which are buffered before they are sent, and the responses of the host itself.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL,
    CONNECTION, CONTENT_TYPE, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use http_body_util::Full;

/// A buffered response.
pub(crate) type Response = http::Response<Full<Bytes>>;

/// Returns the response to a request that the host does not pass to a component, or that the component does not answer. It
/// is an error in FastAPI's format, `{"detail":"Not Found"}`, and scripts of `origin` may read it if that is one of
/// `allowed_origins`.
pub(crate) fn refusal(status: StatusCode, origin: Option<&HeaderValue>, allowed_origins: &[String]) -> Response {
    let detail = match status {
        StatusCode::SERVICE_UNAVAILABLE => "The server is busy",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    let mut response = Response::new(Bytes::from(format!(r#"{{"detail":"{detail}"}}"#)).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        // Apps may send the host of a scheme of their own in any case.
        if allowed_origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes())) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After, X-Request-Id"));
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
    }
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
        // The rest of the request may still arrive, and must not be parsed as another one.
        StatusCode::BAD_REQUEST
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::URI_TOO_LONG
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => closing(response),
        _ => response,
    }
}

/// Adds `Connection: close`.
pub(crate) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
