//! The way of a request, one function read from top to bottom.

use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use futures_lite::StreamExt as _;
use http_body::Body;
use http_body_util::BodyDataStream;
use lanterne_core::client::{Client, printable};
use lanterne_core::config::Config;
use lanterne_database::Timestamp;
use spin_sdk::http::{FullBody, HeaderMap, HeaderValue, Request};

use crate::call::Call;
use crate::reply::Reply;
use crate::routes::{self, Match};
use crate::{cors, error, handlers, settings};

/// The largest body that is read: a hundred times what any route needs.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// So much more is read and thrown away before a 413, since a client that is still sending does not see the reply.
const BODY_BYTES_DRAINED_MAX: usize = 8 * 1024 * 1024;
/// The longest request id that is taken over from a client.
const REQUEST_ID_MAX: usize = 64;

/// Answers one request.
pub(crate) async fn serve(request: Request) -> http::Response<FullBody<Bytes>> {
    let now = Timestamp::now();
    let (parts, body) = request.into_parts();
    let request_id = request_id(&parts.headers);
    let path = routes::decode(parts.uri.path());

    let config = match settings::config().await {
        Ok(config) => config,
        Err(reason) => {
            log(&request_id, &format!("not configured: {reason}"));
            // Health is about the process, not about its configuration.
            let healthy = path == routes::HEALTH && parts.method == http::Method::GET;
            let reply = if healthy { handlers::health::reply(now) } else { error::not_configured() };
            return finish(reply, &request_id);
        }
    };

    let reply = match cors::preflight(config, &parts) {
        Some(reply) => reply,
        None => match read(body).await {
            Err(refusal) => refusal,
            Ok(body) => match routes::find(&parts.method, &path, config.docs) {
                Match::Route(route, params) => {
                    let headers = &parts.headers;
                    let query = parts.uri.query().unwrap_or_default();
                    // Not before: a body may take its time, and tokens expire meanwhile.
                    let now = Timestamp::now();
                    let call = Call { config, client: client(config, headers), now, headers, params, query, body };
                    route.answer(&call).await.unwrap_or_else(|error| {
                        if let Some(cause) = error::cause(&error) {
                            log(&request_id, &format!("{} {}: {cause}", parts.method, printable(&path, 200)));
                        }
                        error::reply(error)
                    })
                }
                Match::OtherMethods(allowed) => error::method_not_allowed(&allowed),
                Match::OtherSlash(path) => routes::redirect(&path, parts.uri.query()),
                Match::Nothing => error::not_found(),
            },
        },
    };
    if config.debug {
        log(&request_id, &format!("{} {} {}", parts.method, printable(&path, 200), reply.status().as_u16()));
    }
    finish(cors::headers(config, &parts.headers, reply), &request_id)
}

/// Reads the body, or refuses it: 413 if it is too large, 400 if it breaks off.
async fn read(body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, Reply> {
    let mut chunks = BodyDataStream::new(body);
    let mut read = BytesMut::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| error::unparseable())?;
        length += chunk.len();
        if length <= BODY_BYTES_MAX {
            read.extend_from_slice(&chunk);
        } else if length > BODY_BYTES_DRAINED_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(error::too_large());
    }
    Ok(read.freeze())
}

/// The headers that every reply carries.
fn finish(mut reply: Reply, request_id: &str) -> http::Response<FullBody<Bytes>> {
    let headers = reply.headers_mut();
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    reply.map(FullBody::new)
}

/// The client's own id for the request if it is a plain token, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |id: &&str| {
        (1..=REQUEST_ID_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(plain);
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// Who is asking: the host says which address the connection came from; a configured proxy says it for its clients.
/// Of a list (`X-Forwarded-For`) the last entry counts, the one that the proxy itself added.
fn client(config: &Config, headers: &HeaderMap) -> Client {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let socket = || text("spin-client-addr")?.parse::<SocketAddr>().ok().map(|address| address.ip());
    let proxied = || {
        let list = headers.get_all(config.client_ip_header.as_deref()?).iter().next_back()?;
        list.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let address = proxied().or_else(socket).map(|address| address.to_string());
    Client::new(address.as_deref(), text("user-agent").as_deref())
}

/// One line on the component's standard error, which the host keeps as its log.
fn log(request_id: &str, message: &str) {
    eprintln!("api: request {request_id}: {message}");
}
