//! Request handling, from top to bottom.

use std::cell::{Cell, OnceCell};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use futures_lite::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body::Body;
use http_body_util::BodyDataStream;
use lanterne_core::client::{Client, printable};

use crate::app::{App, Host};
use crate::call::Call;
use crate::delivery::Undelivered;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::{self, Match};
use crate::{api, cors};

/// The largest body that is read, in bytes: a hundred times what any route needs.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// How much of a larger body is read and discarded before the 413: a client that is still sending does not read a reply.
const BODY_BYTES_DRAINED_MAX: usize = 8 * 1024 * 1024;
/// How much of a path the log shows.
const LOGGED_PATH_CHARS_MAX: usize = 200;
/// The longest request id that is accepted from a client.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// Answers one request. If messages have to be delivered after the reply, it has the extension [`Undelivered`].
pub async fn serve(host: &dyn Host, request: Request<impl Body<Data = Bytes> + Unpin>) -> http::Response<Bytes> {
    let (parts, body) = request.into_parts();
    let request_id = request_id(&parts.headers);
    let path = routes::decode(parts.uri.path());
    let about = |message: &str| format!("request {request_id}: {message}");
    let mut reply = match host.app().await {
        Ok(app) => {
            let has_posted = Cell::new(false);
            let mut reply = respond(host, app, &parts, &path, body, &has_posted).await.unwrap_or_else(|error| {
                if let Some(cause) = error.cause() {
                    let path = printable(&path, LOGGED_PATH_CHARS_MAX);
                    host.log(&about(&format!("{} {path}: {cause}", parts.method)));
                }
                error.into_reply()
            });
            if app.config.debug {
                let path = printable(&path, LOGGED_PATH_CHARS_MAX);
                host.log_info(&about(&format!("{} {path} {}", parts.method, reply.status().as_u16())));
            }
            cors::add_headers(&app.config, &parts.headers, &mut reply);
            if has_posted.get() && app.config.mail_after_reply {
                reply.extensions_mut().insert(Undelivered);
            }
            reply
        }
        Err(reason) => {
            host.log(&about(&format!("not configured: {reason}")));
            if path == routes::HEALTH && parts.method == Method::GET {
                api::health::reply(host.now())
            } else {
                Error::NotConfigured.into_reply()
            }
        }
    };
    let headers = reply.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", value);
    }
    reply
}

async fn respond(
    host: &dyn Host,
    app: &App,
    parts: &Parts,
    path: &str,
    body: impl Body<Data = Bytes> + Unpin,
    has_posted: &Cell<bool>,
) -> Result<Reply, Error> {
    if let Some(reply) = cors::preflight(&app.config, parts) {
        return Ok(reply);
    }
    let body = if may_have_body(parts) { read(body).await? } else { Bytes::new() };
    let (route, params) = match routes::find(&parts.method, path, &app.config)? {
        Match::Route(route, params) => (route, params),
        Match::OtherSlashes(path) => return Ok(routes::redirect(&path, parts.uri.query())),
    };
    let call = Call {
        host,
        app,
        client: client(host, app, &parts.headers),
        // Read after the body, which may have taken long.
        now: host.now(),
        headers: &parts.headers,
        params,
        uri: &parts.uri,
        body,
        has_posted,
        db: OnceCell::new(),
    };
    route.answer(&call).await
}

/// Returns whether a request may have a body. A GET without these headers has none in HTTP/1.1, and none that matters in
/// HTTP/2 (RFC 9110, section 9.3.1). To open and close the empty body would take a tenth of the time of a short request.
fn may_have_body(parts: &Parts) -> bool {
    let has = |name| parts.headers.contains_key(name);
    parts.method != Method::GET || has(header::CONTENT_LENGTH) || has(header::TRANSFER_ENCODING)
}

/// Reads a body of up to [`BODY_BYTES_MAX`].
async fn read(body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, Error> {
    let mut chunks = BodyDataStream::new(body);
    let mut read = BytesMut::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Error::UnreadableBody)?;
        length += chunk.len();
        if length <= BODY_BYTES_MAX {
            read.extend_from_slice(&chunk);
        } else if length > BODY_BYTES_DRAINED_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX { Err(Error::BodyTooLarge) } else { Ok(read.freeze()) }
}

/// Returns the client's request id if it is a plain token, or a new UUID.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |id: &&str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(is_plain);
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// Identifies the client by the header of a trusted proxy, or else by the address of the connection.
fn client(host: &dyn Host, app: &App, headers: &HeaderMap) -> Client {
    let proxied = app.client_header.as_ref().and_then(|header| header.read(headers, |fault| host.log(fault)));
    let address = proxied.or_else(|| connection_address(headers)).map(|address| address.to_string());
    if address.is_none() && !app.is_unknown_client_reported.swap(true, Ordering::Relaxed) {
        host.log("the host passes no address of the connection in spin-client-addr: all clients count as one (reported once)");
    }
    let agent = headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client::new(address.as_deref(), agent.as_deref())
}

/// Returns the address of the connection, which the host passes. Spin adds its header after one that the client sent: the
/// last one counts.
fn connection_address(headers: &HeaderMap) -> Option<IpAddr> {
    let address = headers.get_all("spin-client-addr").iter().next_back()?.to_str().ok()?;
    Some(address.parse::<SocketAddr>().ok()?.ip().to_canonical())
}
