//! What a client may keep, and whether what it has is still right (RFC 9110, section 13).

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use spin_sdk::http::HeaderMap;

use crate::reply::Reply;

/// Whether the client has this version (`If-None-Match`), by the weak comparison that the header asks for.
pub(super) fn is_fresh(request: &HeaderMap, etag: &str) -> bool {
    listed(request, header::IF_NONE_MATCH.as_str()).any(|known| known == "*" || opaque(known) == opaque(etag))
}

/// 304, which has no body and no length of one.
pub(super) fn not_modified() -> Reply {
    let mut reply = Reply::new(Bytes::new());
    *reply.status_mut() = StatusCode::NOT_MODIFIED;
    reply
}

/// Says which version this is and how long it can be kept.
pub(super) fn mark(reply: &mut Reply, etag: &str, cache_control: &'static str) {
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
}

/// Whether the client reads gzip (`Accept-Encoding`, RFC 9110, section 12.5.3). One that does not say gets plain bytes:
/// a person with curl, mostly.
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

fn listed<'a>(request: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = request.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}
