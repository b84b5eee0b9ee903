//! Outgoing HTTP requests, as far as `allowed_outbound_hosts` of the manifest grants them.

use bytes::Bytes;
use futures_lite::future;
use http::{Method, Request};
use lanterne_core::mail::Post;
use spin_sdk::http::{FullBody, send};
use spin_sdk::time::sleep;

/// Sends a request; returns the status of the response, whose body is not read.
///
/// # Errors
/// There was no response in time, or the request is not allowed.
pub(super) async fn post(post: &Post) -> Result<u16, String> {
    let mut request = Request::builder().method(Method::POST).uri(&post.url);
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let body = FullBody::new(Bytes::from(post.body.clone()));
    let request = request.body(body).map_err(|error| error.to_string())?;
    let response = async { send(request).await.map_err(|error| format!("{error:?}")) };
    let timeout = async {
        sleep(Post::TIMEOUT).await;
        Err(format!("no response within {} s", Post::TIMEOUT.as_secs()))
    };
    Ok(future::or(response, timeout).await?.status().as_u16())
}
