//! Detects requests with both `Content-Length` and `Transfer-Encoding`.
//!
//! A proxy in front and this server may disagree on where such a request ends, which allows request smuggling (RFC 9112,
//! section 11.2). hyper uses the chunks and drops the length before it passes the request on, as the RFC allows; refusing
//! is safer, so heads are also parsed here, as they are read. The head of a pipelined request, which arrives before the
//! response to its predecessor, is not inspected: therefore every response to a request with `Transfer-Encoding` closes
//! the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::serve::activity::Activity;

/// hyper refuses requests with more headers.
const HEADERS_MAX: usize = 100;

/// A connection whose request heads are inspected, and whose activity is recorded.
pub(crate) struct InspectedStream<S> {
    stream: S,
    activity: Arc<Activity>,
    /// The received part of the head; `None` from its end until the response.
    head: Option<Vec<u8>>,
    head_size_max: usize,
    is_ambiguous: Arc<AtomicBool>,
}

impl<S> InspectedStream<S> {
    /// Inspects heads of up to `head_size_max` bytes; hyper refuses larger ones.
    pub(crate) fn new(stream: S, activity: Arc<Activity>, head_size_max: usize) -> Self {
        Self { stream, activity, head: Some(Vec::new()), head_size_max, is_ambiguous: Arc::default() }
    }

    /// Whether the last request has both headers.
    pub(crate) fn is_ambiguous(&self) -> Arc<AtomicBool> {
        self.is_ambiguous.clone()
    }

    fn inspect(&mut self, read: &[u8]) {
        let Some(head) = &mut self.head else { return };
        head.extend_from_slice(read);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(head);
        if matches!(parsed, Ok(httparse::Status::Partial)) && head.len() < self.head_size_max {
            return;
        }
        // hyper refuses heads that are too long or malformed.
        if matches!(parsed, Ok(httparse::Status::Complete(_))) {
            let has = |name: &str| request.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
            self.is_ambiguous.store(has("content-length") && has("transfer-encoding"), Ordering::Relaxed);
        }
        self.head = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InspectedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            self.activity.received();
        }
        self.inspect(read);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InspectedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Starts inspecting the next head. After a `100 Continue` a body follows instead; the response then resets it.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.head = Some(Vec::new());
        self.is_ambiguous.store(false, Ordering::Relaxed);
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        if written.is_ready() {
            self.activity.sent();
        }
        written
    }

    /// Otherwise hyper copies every response to a buffer, which keeps its size as long as the connection is open.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all it has: a whole response, once that is complete.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.activity.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
