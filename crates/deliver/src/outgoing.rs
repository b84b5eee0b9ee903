//! Outgoing HTTP requests, as far as `allowed_outbound_hosts` of the manifest grants them.
//!
//! `wasi:http` of version 0.2, like `wasi:cli/run`: a command cannot await.

use http::Uri;
use lanterne_core::mail::Post;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};

/// The most bytes that a blocking write takes.
const CHUNK_BYTES_MAX: usize = 4096;

/// Sends a request; returns the status of the response, whose body is not read.
///
/// # Errors
/// There was no response in time, or the request is not allowed.
pub(crate) fn post(post: &Post) -> Result<u16, String> {
    let request = request(post)?;
    let body = request.body().map_err(|()| "the body cannot be written")?;
    let future = outgoing_handler::handle(request, Some(options()?)).map_err(|error| error.to_string())?;
    let is_written = body.write().is_ok_and(|stream| {
        let mut chunks = post.body.as_bytes().chunks(CHUNK_BYTES_MAX);
        chunks.all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
    });
    // Otherwise the host could not send the request, or the receiver answers before it has read all: the response tells.
    if is_written {
        OutgoingBody::finish(body, None).map_err(|error| error.to_string())?;
    } else {
        drop(body);
    }
    future.subscribe().block();
    let response = future.get().and_then(Result::ok).ok_or("there is no response")?;
    Ok(response.map_err(|error| error.to_string())?.status())
}

fn request(post: &Post) -> Result<OutgoingRequest, String> {
    let uri: Uri = post.url.parse().map_err(|error| format!("{error}"))?;
    let headers = Fields::new();
    for (name, value) in &post.headers {
        headers.append(name, value.as_bytes()).map_err(|error| error.to_string())?;
    }
    let request = OutgoingRequest::new(headers);
    let scheme = if uri.scheme_str() == Some("http") { Scheme::Http } else { Scheme::Https };
    let path = uri.path_and_query().map(|path| path.as_str());
    request
        .set_method(&Method::Post)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(uri.authority().map(|authority| authority.as_str())))
        .and_then(|()| request.set_path_with_query(path))
        .map_err(|()| format!("{} is not accepted by the host", post.url))?;
    Ok(request)
}

/// Limits the wait for the response, and that for the connection to a third of it: together less than a claim lasts.
fn options() -> Result<RequestOptions, &'static str> {
    let whole = u64::try_from(Post::TIMEOUT.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    options
        .set_connect_timeout(Some(whole / 3))
        .and_then(|()| options.set_first_byte_timeout(Some(whole)))
        .map_err(|()| "the host has no timeouts")?;
    Ok(options)
}
