//! Replies: JSON with its length, the error shape, and replies without a body.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use lanterne_core::validation::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

/// A reply whose body is complete.
pub(crate) type Reply = http::Response<Bytes>;

/// `value` as compact JSON. Not to be cached: what this API says is about one client, or about this moment.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    // What we serialise are maps with text keys, which cannot fail.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut reply = with_body(status, "application/json", body.into());
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// What went wrong, in one sentence.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Problem {
    /// The sentence. Each is always written in the same way, so that programs can compare it.
    #[schema(examples("Incorrect email or password"))]
    detail: String,
}

/// Everything that is wrong with a request.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPValidationError)]
pub(crate) struct Invalid {
    /// One entry a fault, in the order of the fields.
    detail: Vec<FieldError>,
}

/// `{"detail": ...}` with a sentence.
pub(crate) fn problem(status: StatusCode, detail: impl Into<String>) -> Reply {
    json(status, &Problem { detail: detail.into() })
}

/// `{"detail": ...}` with the list of faults of a 422.
pub(crate) fn invalid(status: StatusCode, detail: Vec<FieldError>) -> Reply {
    json(status, &Invalid { detail })
}

/// Plain text.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Reply {
    with_body(status, "text/plain; charset=utf-8", text.into())
}

/// No body at all.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    reply
}

/// 204: done, and nothing to say. Such a reply has no length either (RFC 9110, section 8.6).
pub(crate) fn done() -> Reply {
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Without `Content-Length` the reply would go out in chunks, the last of which waits for the client's delayed
/// acknowledgement: 40 ms more on every request.
pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let length = HeaderValue::from(body.len());
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    reply
}
