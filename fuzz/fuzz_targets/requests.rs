//! Requests: any method, path, query, header and body have an answer, which stays on this server, and one line in the log.
//!
//! An input is a request as it is sent over HTTP. In a header `{admin}` and `{user}` stand for access tokens.
#![no_main]

use http::header::{HeaderName, HeaderValue};
use http::{Request, Uri};
use lanterne_fuzz::server::{Checked, Server};
use libfuzzer_sys::fuzz_target;

/// hyper refuses requests with more headers.
const HEADERS_MAX: usize = 100;
const ORIGIN: &str = "https://app.example.org";

thread_local! {
    static SERVER: Server =
        Server::start(&[("debug", "on"), ("client_ip_header", "x-forwarded-for"), ("cors_origins", ORIGIN)]);
}

fuzz_target!(|bytes: &[u8]| SERVER.with(|server| {
    server.reset();
    let Some(request) = parse(server, bytes) else { return };
    let origin = request.headers().get("origin").cloned();
    let sent_id = request.headers().get("x-request-id").cloned();
    let reply = server.send(request);
    check(&reply, origin.as_ref(), sent_id.as_ref());
    let log = server.take_log();
    let mut lines: Vec<&str> = log.split_terminator('\n').collect();
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{log:?}");
    // What is wrong with the addresses of clients is reported once, before the request in which it is noticed.
    lines.retain(|line| !line.ends_with("(reported once)"));
    assert!(matches!(lines[..], [line] if line.starts_with("request ")), "not one line: {log:?}");
}));

/// Parses a request head; the rest is the body. `None` if hyper would not accept the head.
fn parse(server: &Server, bytes: &[u8]) -> Option<Request<Vec<u8>>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(bytes).ok()? else { return None };
    // The host passes the URL with scheme and authority.
    let path = head.path.filter(|path| path.starts_with('/'))?;
    let uri = Uri::try_from(format!("http://127.0.0.1{path}")).ok()?;
    let mut request = Request::builder().method(head.method?).uri(uri);
    for header in head.headers.iter() {
        let value = match std::str::from_utf8(header.value) {
            Ok(text) => text.replace("{admin}", server.token(true)).replace("{user}", server.token(false)).into_bytes(),
            Err(_) => header.value.to_vec(),
        };
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_bytes(&value).ok()?);
    }
    request.body(bytes[end..].to_vec()).ok()
}

fn check(reply: &Checked, origin: Option<&HeaderValue>, sent_id: Option<&HeaderValue>) {
    let header = |name: &str| reply.headers.get(name);
    let status = reply.status;
    assert!((200..300).contains(&status) || [304, 307].contains(&status) || status >= 400, "{status}");
    if let Some(location) = header("location") {
        let location = location.as_bytes();
        // Browsers read a backslash as a slash, and two slashes as the beginning of a host.
        assert!(status == 307 && matches!(location, [b'/', next, ..] if !b"/\\".contains(next)), "{location:?}");
    }
    if let Some(allowed) = header("access-control-allow-origin") {
        let is_ours = allowed.as_bytes().eq_ignore_ascii_case(ORIGIN.as_bytes());
        assert!(is_ours && origin == Some(allowed), "{allowed:?}");
    }
    let id = header("x-request-id").and_then(|id| id.to_str().ok()).expect("an id");
    assert!(id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{id}");
    assert!(sent_id.is_none_or(|sent| sent == id || id.len() == 36), "{id}");
    assert!(status != 405 || header("allow").is_some(), "405 without Allow");
    assert!(status != 429 || header("retry-after").is_some(), "429 without Retry-After");
    assert_eq!(header("content-length").is_some(), ![204, 304].contains(&status), "{status}");
}
