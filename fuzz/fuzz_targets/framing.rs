//! HTTP framing: hyper behind the inspected stream sees the same requests however their bytes are split, a request with
//! two lengths is refused, and nothing follows a refused or a chunked one.
#![no_main]

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[allow(dead_code, reason = "the rest is for the server")]
#[path = "../../crates/host/src/serve/activity.rs"]
mod activity;
#[path = "../../crates/host/src/serve/head.rs"]
mod head;
#[path = "../../crates/host/src/serve/stream.rs"]
mod stream;
/// Where `stream` looks for its neighbours.
mod serve {
    pub(crate) use crate::{activity, head};
}

use activity::Activity;
use head::HEAD_SIZE_MAX;
use stream::{ANNOUNCEMENT, InspectedStream};

/// A request that hyper passes on.
#[derive(Clone, Debug, PartialEq)]
struct Delivered {
    /// Empty if it is refused: what is kept of such a head depends on how much of it has arrived.
    line: String,
    /// The status with which it is refused.
    refusal: Option<u16>,
    is_chunked: bool,
}

impl Delivered {
    fn is_last(&self) -> bool {
        self.refusal.is_some() || self.is_chunked
    }
}

fuzz_target!(|bytes: &[u8]| {
    // A head that is never completed is not always refused.
    let bytes = [bytes, b"\r\n\r\n"].concat();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let served = |size| runtime.block_on(serve(&bytes, size));
    let whole = served(bytes.len().max(1));
    let text = || bytes.escape_ascii().to_string();
    if let Some(first) = whole.first() {
        assert!(first.refusal.is_some() || !has_two_lengths(&bytes), "{}", text());
    }
    let last = whole.iter().position(Delivered::is_last);
    assert!(last.is_none_or(|at| at + 1 == whole.len()), "a request follows the last one: {}", text());
    for size in [1 + bytes.len() / 200, 7, 1 + bytes.len() / 2] {
        assert_eq!(served(size), whole, "in pieces of {size}: {}", text());
    }
});

/// Returns whether the first head has both headers, read line by line.
fn has_two_lengths(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let head = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let names: Vec<_> = head.filter_map(|line| line.split(|byte| *byte == b':').next()).collect();
    let has = |name: &[u8]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    has(b"content-length") && has(b"transfer-encoding")
}

/// Serves a connection on which the bytes arrive in pieces of `size`, as `serve_connection` of the server does.
async fn serve(bytes: &[u8], size: usize) -> Vec<Delivered> {
    let delivered = Rc::new(RefCell::new(Vec::new()));
    let pieces = bytes.chunks(size).map(<[u8]>::to_vec).rev().collect();
    let stream = InspectedStream::new(Pieces(pieces), Arc::new(Activity::new()), Arc::new([]));
    let refusal = stream.refusal();
    let log = delivered.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let refusal = refusal.status().map(|status| status.as_u16());
        let one = Delivered {
            line: if refusal.is_none() { format!("{} {}", request.method(), request.uri()) } else { String::new() },
            refusal,
            is_chunked: request.headers().contains_key(TRANSFER_ENCODING),
        };
        log.borrow_mut().push(one.clone());
        async move {
            if one.refusal.is_none() {
                let _ = request.into_body().collect().await;
            }
            let mut response = Response::new(Empty::<Bytes>::new());
            if one.is_last() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_SIZE_MAX + ANNOUNCEMENT.len())
        .serve_connection(TokioIo::new(stream), service);
    // The client's faults end the connection.
    let _ = connection.await;
    delivered.take()
}

/// A client that sends its pieces, the last one first, and reads everything.
struct Pieces(Vec<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
