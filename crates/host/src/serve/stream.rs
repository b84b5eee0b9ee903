//! The stream of a connection: passes inspected requests to hyper, one at a time, and records the client's activity.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http::{HeaderName, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::serve::activity::Activity;
use crate::serve::head::{self, HEAD_SIZE_MAX, Inspected, UNKNOWN_SIZE};

/// How long a closing connection waits for a client that is still sending.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// How much such a client may send, in bytes.
const LINGER_SIZE_MAX: usize = 8 * 1024 * 1024;

/// Tells hyper that a head is being received: a stopping hyper closes a connection on which it has read nothing. It ignores
/// an empty line before a request (RFC 9112, section 2.2).
pub(super) const ANNOUNCEMENT: &[u8] = b"\r\n";

/// The status with which the current request must be refused; 0 for none.
#[derive(Clone, Default)]
pub(super) struct Refusal(Arc<AtomicU16>);

impl Refusal {
    /// Returns the status.
    pub(super) fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.0.load(Ordering::Relaxed)).ok()
    }

    fn set(&self, status: Option<StatusCode>) {
        self.0.store(status.map_or(0, |status| status.as_u16()), Ordering::Relaxed);
    }
}

/// A connection whose request heads are inspected, and whose activity is recorded.
///
/// The bytes of a request are passed on only when its head is complete, and those of the next one only when hyper has
/// read all of them. So when hyper has parsed a head, [`Refusal`] is about this head.
pub(super) struct InspectedStream<S> {
    stream: S,
    activity: Arc<Activity>,
    refusal: Refusal,
    /// The headers that are kept from a refused head.
    kept: Arc<[HeaderName]>,
    /// What has been read and not passed on.
    received: BytesMut,
    /// How much of `received` is known not to contain a complete head, in bytes.
    inspected: usize,
    /// The status of a head that is too large, and how much of it has been dropped, in bytes.
    too_large: Option<(StatusCode, usize)>,
    /// Whether hyper knows that a head is being received.
    is_announced: bool,
    /// How much of the current request has not been passed on, in bytes, whether it has been received or not.
    due: u64,
    lingering: Option<Lingering>,
}

/// A connection that will not be written to any more.
struct Lingering {
    timeout: Pin<Box<Sleep>>,
    size: usize,
}

impl<S> InspectedStream<S> {
    /// Inspects the requests of `stream`. Of a refused one, the headers `kept` can still be read.
    pub(super) fn new(stream: S, activity: Arc<Activity>, kept: Arc<[HeaderName]>) -> Self {
        Self {
            stream,
            activity,
            refusal: Refusal::default(),
            kept,
            received: BytesMut::new(),
            inspected: 0,
            too_large: None,
            is_announced: false,
            due: 0,
            lingering: None,
        }
    }

    /// Returns what becomes of the current request.
    pub(super) fn refusal(&self) -> Refusal {
        self.refusal.clone()
    }

    /// Inspects the head that is being received.
    fn inspect(&mut self) {
        let is_first = self.inspected == 0;
        let may_end = head::has_empty_line(&self.received[self.inspected.saturating_sub(2)..]);
        self.inspected = self.received.len();
        if let Some((status, dropped)) = self.too_large {
            return self.read_too_large(status, dropped, may_end);
        }
        // A head that arrives byte by byte is not parsed again for each.
        if !is_first && !may_end && self.received.len() < HEAD_SIZE_MAX {
            return;
        }
        match head::inspect(&self.received) {
            Inspected::Partial => {}
            Inspected::Accepted(size) => self.begin(size, None),
            Inspected::Refused(status) => self.refuse(status),
            Inspected::TooLarge(status) => self.read_too_large(status, 0, may_end),
        }
    }

    /// Keeps what a refusal needs of a head that is too large. The client reads the response only when it has sent
    /// everything, and the headers may follow a long URI.
    fn read_too_large(&mut self, status: StatusCode, dropped: usize, is_complete: bool) {
        if is_complete || dropped >= LINGER_SIZE_MAX {
            return self.refuse(status);
        }
        let shortened = head::shorten(&self.received, &self.kept);
        let dropped = dropped + self.received.len() - shortened.len();
        self.received = shortened.as_slice().into();
        self.inspected = self.received.len();
        self.too_large = Some((status, dropped));
        // The kept headers alone exceed the limit.
        if self.received.len() >= HEAD_SIZE_MAX {
            self.refuse(status);
        }
    }

    /// Replaces a head by one that hyper accepts.
    fn refuse(&mut self, status: StatusCode) {
        self.received = head::substitute(&self.received, &self.kept).as_slice().into();
        self.begin(UNKNOWN_SIZE, Some(status));
    }

    /// Begins to pass on a request of `size` bytes.
    fn begin(&mut self, size: u64, refused: Option<StatusCode>) {
        self.due = size;
        self.inspected = 0;
        self.too_large = None;
        self.is_announced = false;
        self.refusal.set(refused);
    }

    /// Passes on what belongs to the current request.
    fn pass_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let due = usize::try_from(self.due).unwrap_or(usize::MAX);
        let size = due.min(self.received.len()).min(buffer.remaining());
        buffer.put_slice(&self.received[..size]);
        self.received.advance(size);
        self.due -= size as u64;
        if self.received.is_empty() {
            // Idle connections hold no memory.
            self.received = BytesMut::new();
        }
    }
}

impl<S: AsyncRead + Unpin> InspectedStream<S> {
    /// Reads and discards what the client still sends, until it closes the connection or a limit is reached. Closing a
    /// connection with unread bytes resets it, and the client might lose the response (RFC 9112, section 9.6).
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let new = || Lingering { timeout: Box::pin(sleep(LINGER_TIMEOUT)), size: 0 };
        let lingering = self.lingering.get_or_insert_with(new);
        let mut discarded = [0; 4096];
        while lingering.size < LINGER_SIZE_MAX && lingering.timeout.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut discarded);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => lingering.size += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InspectedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.due == 0 && !this.received.is_empty() {
                this.inspect();
            }
            if this.due > 0 && !this.received.is_empty() {
                this.pass_on(buffer);
                return Poll::Ready(Ok(()));
            }
            if !this.received.is_empty() && !this.is_announced {
                this.is_announced = true;
                buffer.put_slice(ANNOUNCEMENT);
                return Poll::Ready(Ok(()));
            }
            // What follows a refused head cannot be a request. Nothing wakes this task again: the refusal closes the
            // connection, so hyper does not wait for this read.
            if this.refusal.status().is_some() {
                return Poll::Pending;
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            let read = &buffer.filled()[before..];
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.activity.received();
            this.received.extend_from_slice(read);
            buffer.set_filled(before);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for InspectedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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

    /// Ends the output, and then waits for a client that has not sent its whole request.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.due > 0 {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
