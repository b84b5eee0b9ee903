//! Takes in the body of a request before a component sees the request.
//!
//! An instance that waited for a slow client would be one fewer for all others. What a client can make the server keep
//! is bounded by the size of a body and the number of connections.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use wasmtime_wasi_http::WasiBody;

use crate::serve::reply;

/// How long a client may take to send a body.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest body that a component gets: four times what the API reads, which so refuses most itself.
const SIZE_MAX: usize = 256 * 1024;
/// So much is read and thrown away before a refusal, since a client that is still sending does not see the reply.
const DRAINED_MAX: usize = 8 * 1024 * 1024;

/// The whole body, or the reply that refuses it.
pub(crate) async fn receive(body: Incoming) -> Result<Bytes, Response<WasiBody>> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let refusal = match tokio::time::timeout(TIMEOUT, read(body)).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(status)) => status,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    // The rest of the body may still come, and would be taken for a request.
    Err(reply::closing(reply::error(refusal)))
}

async fn read(mut body: Incoming) -> Result<Bytes, StatusCode> {
    // What is announced to be this large is not waited for.
    let is_hopeless = body.size_hint().lower() > DRAINED_MAX as u64;
    let (mut kept, mut size) = (BytesMut::new(), 0);
    while !is_hopeless && size <= DRAINED_MAX {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        size += data.len();
        if size <= SIZE_MAX {
            kept.extend_from_slice(&data);
        }
    }
    match is_hopeless || size > SIZE_MAX {
        true => Err(StatusCode::PAYLOAD_TOO_LARGE),
        false => Ok(kept.freeze()),
    }
}
