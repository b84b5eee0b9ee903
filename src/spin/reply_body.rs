//! The body of a reply, after which messages are delivered.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use spin_sdk::http::FullBody;
use spin_sdk::wit_bindgen::spawn;

use super::Spin;
use crate::delivery::{self, Undelivered};
use crate::reply::Reply;

/// A complete body. The task that sends it drops it when the host has taken it. Only then does the delivery of messages begin:
/// otherwise the look-up of an account could delay the reply, whose time would tell whether there is one.
pub(super) struct ReplyBody {
    body: FullBody<Bytes>,
    has_messages: bool,
}

impl ReplyBody {
    /// Wraps the body of a reply.
    pub(super) fn wrap(reply: Reply) -> http::Response<Self> {
        let has_messages = reply.extensions().get::<Undelivered>().is_some();
        reply.map(|body| Self { body: FullBody::new(body), has_messages })
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        if self.has_messages {
            spawn(delivery::deliver(&Spin));
        }
    }
}
