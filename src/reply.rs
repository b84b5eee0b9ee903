//! Replies with a complete body.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::input::FieldError;

/// A reply whose body is complete.
pub(crate) type Reply = http::Response<Bytes>;

/// An error.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Problem {
    /// The reason. The wording of each is stable, so that programs can compare it.
    #[schema(examples("Incorrect email or password"))]
    detail: String,
}

/// A request that has been accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct Accepted {
    /// What happens now.
    #[schema(examples("If there is such an account, a message is on its way."))]
    detail: &'static str,
}

impl Accepted {
    pub(crate) fn new(detail: &'static str) -> Self {
        Self { detail }
    }
}

/// Invalid input.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPValidationError)]
pub(crate) struct Invalid {
    /// All faults, in the order of the fields.
    detail: Vec<FieldError>,
}

/// Returns `value` as compact JSON, which must not be cached: it depends on the client or the time.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    // Replies are structs with string keys: this cannot fail.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut reply = with_body(status, "application/json", body.into());
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Returns `{"detail": ...}` with a sentence.
pub(crate) fn problem(status: StatusCode, detail: impl Into<String>) -> Reply {
    json(status, &Problem { detail: detail.into() })
}

/// Returns `{"detail": ...}` with the faults of a 422.
pub(crate) fn invalid(detail: Vec<FieldError>) -> Reply {
    json(StatusCode::UNPROCESSABLE_ENTITY, &Invalid { detail })
}

/// Returns a reply without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = status;
    reply
}

/// Returns 204, without a length (RFC 9110, section 8.6).
pub(crate) fn no_content() -> Reply {
    let mut reply = empty(StatusCode::NO_CONTENT);
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Returns a body with its length. Without `Content-Length` the reply would be chunked, and its last chunk could wait 40 ms
/// for a delayed acknowledgement.
pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let length = HeaderValue::from(body.len());
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    reply
}
