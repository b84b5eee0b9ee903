//! Prepares a request for a component: reads the whole body, sets scheme and authority, adds Spin's headers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use wasmtime_wasi_http::WasiBody;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body that a component gets, in bytes.
const BODY_SIZE_MAX: usize = 256 * 1024;
/// How much of a larger body is read and discarded, in bytes: a client that is still sending does not read the response.
const DRAINED_MAX: usize = 8 * 1024 * 1024;

/// Where a request comes from, and which route it matched.
pub(crate) struct Origin<'a> {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// The route as written in the manifest.
    pub(crate) route: &'a str,
    /// The route without its wildcard.
    pub(crate) prefix: &'a str,
    /// The part of the path that the wildcard matched.
    pub(crate) tail: &'a str,
}

/// Reads the whole body. It is read before an instance is taken, so that slow clients do not occupy instances.
///
/// # Errors
/// The status with which it is refused.
pub(crate) async fn read_body(body: Incoming) -> Result<Bytes, StatusCode> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    tokio::time::timeout(BODY_TIMEOUT, read(body)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn read(mut body: Incoming) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > DRAINED_MAX as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut kept, mut size) = (BytesMut::new(), 0);
    while size <= DRAINED_MAX {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        size += data.len();
        if size <= BODY_SIZE_MAX {
            kept.extend_from_slice(&data);
        }
    }
    if size > BODY_SIZE_MAX { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(kept.freeze()) }
}

/// Builds the request for a component.
pub(crate) fn for_component(mut parts: Parts, body: Bytes, origin: &Origin<'_>) -> http::Request<WasiBody> {
    let authority = authority(&parts.headers, &parts.uri, origin.server);
    let path = match parts.uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => path.clone(),
        // `OPTIONS *` and CONNECT have no path.
        _ => PathAndQuery::from_static("/"),
    };
    set_spin_headers(&mut parts.headers, origin, &authority, &path);
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority);
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    http::Request::from_parts(parts, Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

/// Returns the authority that the client requested, or the server's address if it sent no valid one.
fn authority(headers: &HeaderMap, uri: &Uri, server: SocketAddr) -> Authority {
    let from_host = || Authority::try_from(headers.get(HOST)?.as_bytes()).ok();
    uri.authority()
        .cloned()
        .or_else(from_host)
        .filter(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
        .or_else(|| Authority::try_from(server.to_string()).ok())
        .unwrap_or(Authority::from_static("localhost"))
}

/// Replaces all spin-* headers, which components trust.
fn set_spin_headers(headers: &mut HeaderMap, origin: &Origin<'_>, authority: &Authority, path: &PathAndQuery) {
    let is_spin = |name: &&HeaderName| name.as_str().starts_with("spin-");
    let sent: Vec<HeaderName> = headers.keys().filter(is_spin).cloned().collect();
    for name in sent {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
    for (name, value) in [
        ("spin-path-info", origin.tail),
        ("spin-full-url", &format!("http://{authority}{path}")),
        ("spin-matched-route", origin.route),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", origin.route),
        ("spin-component-route", origin.prefix),
        ("spin-client-addr", &origin.client.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    }
}
