//! Requests of the component. The header `target` of the request that it gets has their URL.

use std::net::{TcpStream, ToSocketAddrs as _};

use bytes::Bytes;
use futures_util::future::join_all;
use spin_sdk::http::{FullBody, Request, Response, body::IncomingBodyExt as _};
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;

/// The most requests of an instance, and one more.
const TOO_MANY: usize = 9;

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().expect("text"))
}

fn target(request: &Request) -> &str {
    header(request, "target").expect("a target")
}

/// Forwards a request with the method and the timeouts that its headers name. Returns the response or the error as text.
pub(crate) async fn send(request: Request) -> String {
    let options = RequestOptions::new();
    let nanoseconds = |name| header(&request, name).map(|ms| ms.parse::<u64>().expect("a number") * 1_000_000);
    options.set_connect_timeout(nanoseconds("connect-ms")).expect("an option");
    options.set_first_byte_timeout(nanoseconds("first-byte-ms")).expect("an option");
    options.set_between_bytes_timeout(nanoseconds("between-bytes-ms")).expect("an option");
    let method = header(&request, "method").unwrap_or(request.method().as_str());
    let mut passed = http::Request::builder().method(method).uri(target(&request));
    passed = passed.header("x-passed", "yes").extension(RequestOptionsExtension(options));
    let body = request.into_body().bytes().await.expect("a body");
    text(spin_sdk::http::send(passed.body(FullBody::new(body)).expect("a request")).await).await
}

async fn text(sent: Result<Response, ErrorCode>) -> String {
    let response = match sent {
        Ok(response) => response,
        Err(error) => return format!("{error:?}"),
    };
    let (head, body) = response.into_parts();
    let location = head.headers.get("location").map(|value| value.to_str().expect("text")).unwrap_or_default();
    let body = body.bytes().await.expect("a complete body");
    let body = if body.len() > 4096 { format!("{} bytes", body.len()) } else { String::from_utf8_lossy(&body).into() };
    format!("{} {location}\n{body}", head.status.as_u16())
}

/// Sends as many simultaneous requests as the header `count` says, and returns their results.
pub(crate) async fn send_many(request: &Request) -> String {
    let count = header(request, "count").and_then(|count| count.parse().ok()).expect("a number");
    let sent = join_all((0..count).map(|_| async { text(spin_sdk::http::get(target(request)).await).await }));
    sent.await.join("\n")
}

/// Sends one request too many without reading the responses, and another one after dropping them.
pub(crate) async fn send_unread(request: &Request) -> String {
    let mut sent = Vec::new();
    for _ in 0..TOO_MANY {
        let options = RequestOptions::new();
        options.set_connect_timeout(Some(100_000_000)).expect("an option");
        let get = http::Request::get(target(request)).extension(RequestOptionsExtension(options));
        sent.push(spin_sdk::http::send(get.body(FullBody::new(Bytes::new())).expect("a request")).await);
    }
    let refused: Vec<_> =
        sent.iter().filter_map(|sent| sent.as_ref().err()).map(|error| format!("{error:?}")).collect();
    drop(sent);
    let then = spin_sdk::http::get(target(request)).await.map(|response| response.status().as_u16());
    format!("refused {refused:?} then {then:?}")
}

/// Opens a socket to the target, and looks up a name.
pub(crate) fn open_socket(request: &Request) -> String {
    let connected = TcpStream::connect(target(request)).map(drop);
    let found = "localhost:80".to_socket_addrs().map(drop);
    format!("{:?} {:?}", connected.map_err(|error| error.kind()), found.is_err())
}
