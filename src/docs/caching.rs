//! Cache validation (RFC 9110, section 13) and content negotiation.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::reply::{Reply, empty};

/// Returns whether the client has this version (`If-None-Match`, with weak comparison).
pub(super) fn is_fresh(request: &HeaderMap, etag: &str) -> bool {
    listed(request, header::IF_NONE_MATCH.as_str()).any(|known| known == "*" || opaque(known) == opaque(etag))
}

/// Returns 304, without body and length.
pub(super) fn not_modified() -> Reply {
    empty(StatusCode::NOT_MODIFIED)
}

/// Adds the version and the lifetime.
pub(super) fn mark(reply: &mut Reply, etag: &str, cache_control: &'static str) {
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
}

/// Returns whether the client accepts gzip (`Accept-Encoding`, RFC 9110, section 12.5.3). One without the header, such as
/// curl, gets plain bytes.
pub(super) fn accepts_gzip(request: &HeaderMap) -> bool {
    let weight = |name: &str| {
        listed(request, header::ACCEPT_ENCODING.as_str()).find_map(|coding| {
            let (coding, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let weight =
                || parameters.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim().parse().ok();
            coding.trim().eq_ignore_ascii_case(name).then(|| weight().unwrap_or(1.0))
        })
    };
    weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*")).is_some_and(|weight: f32| weight > 0.0)
}

/// Returns the entries of a comma-separated header.
fn listed<'a>(request: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = request.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Drops the mark of a weak validator.
fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}
