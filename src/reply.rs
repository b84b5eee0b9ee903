//! Replies: JSON with its length, the error shape, and replies without a body.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

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

/// An error as every route tells it.
#[derive(Serialize)]
struct Problem<T> {
    detail: T,
}

/// `{"detail": ...}`: a sentence, or the list of faults of a 422.
pub(crate) fn problem(status: StatusCode, detail: impl Serialize) -> Reply {
    json(status, &Problem { detail })
}

/// Plain text.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Reply {
    with_body(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

/// No body at all.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    reply
}

/// Without `Content-Length` the reply would go out in chunks, the last of which waits for the client's delayed
/// acknowledgement: 40 ms more on every request.
fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let length = HeaderValue::from(body.len());
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    reply
}
