//! Sees a request that announces its length twice, which hyper no longer shows.
//!
//! With both `Content-Length` and `Transfer-Encoding` a proxy in front and we may disagree on where the request ends:
//! that is how requests are smuggled (RFC 9112, section 11.2). hyper goes by the chunks and drops the length, as the
//! RFC allows; refusing is safer, so the head is looked at on its way in. A head that comes before the reply to the one
//! before it, from a client that does not wait for replies, goes unseen: therefore every reply to a request with
//! `Transfer-Encoding` closes its connection, and whatever follows such a body is nobody's request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More headers than this, hyper refuses itself.
const HEADERS_MAX: usize = 100;

/// A connection whose requests are looked at.
pub(crate) struct Watched<S> {
    stream: S,
    /// The head as far as it has come; nothing between the end of one head and the reply to it.
    head: Option<Vec<u8>>,
    head_size_max: usize,
    has_two_lengths: Arc<AtomicBool>,
}

impl<S> Watched<S> {
    /// Watches `stream`; looks at heads of up to `head_size_max` bytes, more than which hyper refuses.
    pub(crate) fn new(stream: S, head_size_max: usize) -> Self {
        Self { stream, head: Some(Vec::new()), head_size_max, has_two_lengths: Arc::default() }
    }

    /// Whether the last request announced its length twice.
    pub(crate) fn has_two_lengths(&self) -> Arc<AtomicBool> {
        self.has_two_lengths.clone()
    }

    /// A reply is written: what is read after it is the next head. After a mere `100 Continue` it is a body, which is
    /// forgotten with the reply, whatever it looked like.
    fn look_again(&mut self) {
        self.head = Some(Vec::new());
        self.has_two_lengths.store(false, Ordering::Relaxed);
    }

    fn look(&mut self, read: &[u8]) {
        let Some(head) = &mut self.head else { return };
        head.extend_from_slice(read);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(head) {
            Ok(httparse::Status::Partial) if head.len() < self.head_size_max => return,
            Ok(httparse::Status::Complete(_)) => {
                let has = |name: &str| request.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
                let has_two_lengths = has("content-length") && has("transfer-encoding");
                self.has_two_lengths.store(has_two_lengths, Ordering::Relaxed);
            }
            // Too long, or no HTTP: hyper says so.
            _ => {}
        }
        self.head = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.look(&buffer.filled()[before..]);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.look_again();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look_again();
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
