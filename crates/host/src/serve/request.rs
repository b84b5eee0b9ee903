//! A request as the component sees it: with scheme and authority, and with Spin's headers.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::WasiBody;

/// What is known of a request beside the request itself.
pub(crate) struct Origin<'a> {
    /// The address of the client.
    pub(crate) client: SocketAddr,
    /// The address it came to, which stands in for a missing Host.
    pub(crate) server: SocketAddr,
    /// The route it matched.
    pub(crate) route: &'a str,
    /// The route without its wildcard.
    pub(crate) prefix: &'a str,
    /// What the wildcard stands for.
    pub(crate) tail: &'a str,
}

/// Makes the request for the guest.
pub(crate) fn for_guest(mut parts: Parts, body: Bytes, origin: &Origin<'_>) -> http::Request<WasiBody> {
    let authority = authority(&parts.headers, &parts.uri, origin.server);
    let path = match parts.uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => path.clone(),
        // `OPTIONS *` and CONNECT have no path.
        _ => PathAndQuery::from_static("/"),
    };
    add_spin_headers(&mut parts.headers, origin, &authority, &path);
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority);
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri).unwrap_or_default();

    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    http::Request::from_parts(parts, body)
}

/// The authority that the client meant; ours if it sent none, or none that makes sense.
fn authority(headers: &HeaderMap, uri: &Uri, server: SocketAddr) -> Authority {
    let from_host = || Authority::try_from(headers.get(HOST)?.as_bytes()).ok();
    uri.authority()
        .cloned()
        .or_else(from_host)
        .filter(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
        .or_else(|| Authority::try_from(server.to_string()).ok())
        .unwrap_or(Authority::from_static("localhost"))
}

/// Replaces all spin-* headers: components trust them.
fn add_spin_headers(headers: &mut HeaderMap, origin: &Origin<'_>, authority: &Authority, path: &PathAndQuery) {
    let is_spin = |name: &&HeaderName| name.as_str().starts_with("spin-");
    let sent: Vec<HeaderName> = headers.keys().filter(is_spin).cloned().collect();
    for name in sent {
        headers.remove(name);
    }
    headers.remove(CONNECTION);

    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    };
    set("spin-path-info", origin.tail);
    set("spin-full-url", &format!("http://{authority}{path}"));
    set("spin-matched-route", origin.route);
    set("spin-base-path", "/");
    set("spin-raw-component-route", origin.route);
    set("spin-component-route", origin.prefix);
    set("spin-client-addr", &origin.client.to_string());
}
