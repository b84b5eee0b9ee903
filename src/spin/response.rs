//! The response of the component.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http::HeaderMap;
use spin_sdk::wasip3::http::types::{ErrorCode, Headers, Response};
use spin_sdk::wasip3::{wit_bindgen, wit_future, wit_stream};

use super::Spin;
use crate::delivery::{self, Undelivered};

/// Passes `reply` to the host. The body is offered before the head is returned, so that a host that sends the head as soon as
/// it has it, like Spin, can send both in one packet.
///
/// Messages are delivered when the host has taken the body: the look-up of an account must not delay the reply, whose time
/// would tell whether there is one.
pub(super) async fn pass(reply: http::Response<Bytes>) -> Result<Response, ErrorCode> {
    let (parts, body) = reply.into_parts();
    let has_messages = parts.extensions.get::<Undelivered>().is_some();
    let headers = headers(&parts.headers)?;
    let (trailers_writer, trailers) = wit_future::new(|| Ok(None));
    if body.is_empty() {
        // Dropping the writer makes it write its default.
        drop(trailers_writer);
        if has_messages {
            wit_bindgen::spawn(delivery::deliver(&Spin));
        }
        return with_status(Response::new(headers, None, trailers).0, parts.status);
    }
    let (mut writer, reader) = wit_stream::new();
    let mut writing = Box::pin(async move {
        writer.write_all(body.into()).await;
        drop(writer);
        let _ = trailers_writer.write(Ok(None)).await;
        if has_messages {
            delivery::deliver(&Spin).await;
        }
    });
    let progress = poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await;
    if progress.is_pending() {
        wit_bindgen::spawn(writing);
    }
    with_status(Response::new(headers, Some(reader), trailers).0, parts.status)
}

fn headers(headers: &HeaderMap) -> Result<Headers, ErrorCode> {
    let list: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())).collect();
    Headers::from_list(&list).map_err(|error| ErrorCode::InternalError(Some(error.to_string())))
}

fn with_status(response: Response, status: http::StatusCode) -> Result<Response, ErrorCode> {
    response.set_status_code(status.as_u16()).map_err(|()| ErrorCode::InternalError(None))?;
    Ok(response)
}
