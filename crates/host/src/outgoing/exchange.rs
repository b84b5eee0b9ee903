//! Sends a request over a connection and reads the response.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::outgoing::connection::Stream;
use crate::outgoing::{Response, failure};

/// The size of hyper's read buffer, in bytes. The head of a response must fit in.
const HEAD_BUFFER_SIZE_MAX: usize = 64 * 1024;
/// The largest body of a response, in bytes.
const BODY_SIZE_MAX: usize = 1 << 20;

/// Sends `request` and returns the complete response. Redirects are responses like any other.
pub(super) async fn run(
    stream: Stream,
    mut request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response, Error> {
    // HTTP/1.1 sends only the path to the server itself (RFC 9112, section 3.2.1); wasmtime has added the header `Host`.
    *request.uri_mut() = path_of(request.uri());
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let mut builder = http1::Builder::new();
    let (mut sender, connection) = builder.max_buf_size(HEAD_BUFFER_SIZE_MAX).handshake(TokioIo::new(stream)).await?;
    // Those that the component asks for. The whole request has a timeout of its own.
    let first_byte_timeout = options.first_byte_timeout.unwrap_or(Duration::MAX);
    let between_bytes_timeout = options.between_bytes_timeout.unwrap_or(Duration::MAX);
    let exchange = async {
        let head = timeout(first_byte_timeout, sender.send_request(request)).await;
        let response = head.map_err(|_| Error::ConnectionReadTimeout)??;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpUpgradeFailed);
        }
        let (head, body) = response.into_parts();
        let body = read(body, between_bytes_timeout).await?;
        Ok(Response::from_parts(head, body))
    };
    let connection = async {
        // The exchange gets its error.
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        response = exchange => response,
        never = connection => match never {},
    }
}

fn path_of(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let path = if path.starts_with('/') { path.parse() } else { format!("/{path}").parse() };
    path.unwrap_or_default()
}

/// Reads a whole body with its trailers, whose frames may come after pauses up to `pause_max`.
async fn read(mut body: Incoming, pause_max: Duration) -> Result<WasiBody, Error> {
    let stated = body.size_hint().exact();
    let too_large = || Error::HttpResponseBodySize(stated);
    if stated.is_some_and(|size| size > BODY_SIZE_MAX as u64) {
        return Err(too_large());
    }
    let (mut data, mut trailers): (BytesMut, Option<HeaderMap>) = Default::default();
    while let Some(frame) = timeout(pause_max, body.frame()).await.map_err(|_| Error::ConnectionReadTimeout)? {
        match frame.map_err(failure::of_body)?.into_data() {
            Ok(part) if part.len() > BODY_SIZE_MAX - data.len() => return Err(too_large()),
            Ok(part) => data.extend_from_slice(&part),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let body = Full::new(data.freeze()).with_trailers(ready(trailers.map(Ok)));
    Ok(body.map_err(|never: Infallible| match never {}).boxed_unsync())
}

/// Gives back `turn` when the body is dropped.
pub(super) fn holding(body: WasiBody, turn: OwnedSemaphorePermit) -> WasiBody {
    let frames = body.map_frame(move |frame: hyper::body::Frame<Bytes>| {
        let _ = &turn;
        frame
    });
    frames.boxed_unsync()
}
