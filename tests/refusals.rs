//! The replies that the host makes without a component have the format and the headers of all others, and a line in the
//! log.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::support::{Project, Reply, TestApp};

/// An allowed origin.
const ORIGIN: &str = "http://localhost:3000";

/// A request that the host answers: its first line, further lines and body, and the status and `detail` of the reply.
struct Refused {
    id: &'static str,
    line: &'static str,
    rest: String,
    status: u16,
    detail: &'static str,
}

fn refused(
    id: &'static str,
    line: &'static str,
    rest: impl Into<String>,
    status: u16,
    detail: &'static str,
) -> Refused {
    Refused { id, line, rest: rest.into(), status, detail }
}

/// Requests that are answered at once.
fn all() -> Vec<Refused> {
    let malformed = |id, line, rest: &str| refused(id, line, rest, 400, "Bad Request");
    let large = |id, line, rest: &str| refused(id, line, rest, 431, "Request Header Fields Too Large");
    let long = format!("GET /{} HTTP/1.1", "a".repeat(200_000)).leak();
    vec![
        malformed("no-colon", "GET / HTTP/1.1", "nothing\r\n\r\n"),
        malformed("name-with-space", "GET / HTTP/1.1", "a b: c\r\n\r\n"),
        malformed("folded", "GET / HTTP/1.1", "a: b\r\n c\r\n\r\n"),
        malformed("control-character", "GET / HTTP/1.1", "a: \u{1}\r\n\r\n"),
        malformed("no-version", "GET /", "\r\n"),
        malformed("other-version", "GET / HTTP/2.0", "\r\n"),
        malformed("target-with-space", "GET /a b HTTP/1.1", "\r\n"),
        malformed("no-host-in-target", "GET http:// HTTP/1.1", "\r\n"),
        malformed("two-lengths", "POST / HTTP/1.1", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"),
        malformed("negative-length", "POST / HTTP/1.1", "Content-Length: -1\r\n\r\n"),
        malformed(
            "length-and-chunks",
            "POST / HTTP/1.1",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        malformed("not-chunked", "POST / HTTP/1.1", "Transfer-Encoding: gzip\r\n\r\n"),
        malformed("chunks-in-1.0", "POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        malformed("not-a-chunk", "POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\nnothing\r\n"),
        refused("long-target", long, "\r\n", 414, "URI Too Long"),
        large("long-header", "GET / HTTP/1.1", &format!("Cookie: {}\r\n\r\n", "a".repeat(4 << 20))),
        large("many-headers", "GET / HTTP/1.1", &format!("{}\r\n", "a: b\r\n".repeat(100))),
        refused("large-body", "POST / HTTP/1.1", body(7 << 20, 7 << 20), 413, "Payload Too Large"),
        refused("larger-body", "POST / HTTP/1.1", body(9_999_999_999, 4 << 20), 413, "Payload Too Large"),
        refused("trap", "GET /panic HTTP/1.1", "Connection: close\r\n\r\n", 500, "Internal Server Error"),
    ]
}

/// A body of which only the first bytes are sent.
fn body(length: usize, sent: usize) -> String {
    format!("Content-Length: {length}\r\n\r\n{}", "x".repeat(sent))
}

impl Refused {
    fn request(&self) -> String {
        format!("{}\r\nOrigin: {ORIGIN}\r\nX-Request-Id: {}\r\n{}", self.line, self.id, self.rest)
    }

    #[track_caller]
    fn expect(&self, reply: Reply) {
        let reply = reply.expect_detail(self.status, self.detail);
        self.expect_headers(&reply);
    }

    #[track_caller]
    fn expect_headers(&self, reply: &Reply) {
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-request-id", self.id),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("access-control-allow-origin", ORIGIN),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "Retry-After, X-Request-Id"),
            ("vary", "Origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name} of {}: {reply}", self.id);
        }
        let waits = reply.header("retry-after").is_some();
        assert_eq!(waits, self.status == 503, "{}: {reply}", self.id);
    }

    #[track_caller]
    fn expect_logged(&self, log: &str, count: usize) {
        let id = format!(" request_id={} ", self.id);
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&id)).collect();
        assert_eq!(lines.len(), count, "{}: {log}", self.id);
        let status = format!(" status={} ", self.status);
        assert!(lines.iter().all(|line| line.contains(&status)), "{lines:?}");
    }
}

/// Starts a server with the component for tests.
fn faulty() -> TestApp {
    TestApp::of(Project::migrated().edit("spin.toml", "release/api.wasm", "release/faulty.wasm"))
}

/// Sends bytes on one connection and returns everything until the server closes it.
#[track_caller]
fn send(app: &TestApp, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.write_all(request).expect("the server reads everything");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("a reply");
    reply
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn refusals_have_the_headers_of_all_replies() {
    let app = faulty();
    let all = all();
    for refused in &all {
        refused.expect(Reply::parse(&send(&app, refused.request().as_bytes())));
    }
    let log = app.into_log();
    for refused in &all {
        refused.expect_logged(&log, 1);
    }
    let line = log.lines().find(|line| line.contains("request_id=long-target ")).expect("a line");
    assert!(line.contains(" method=GET path=/aaaa") && line.len() < 500, "{line}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn other_replies_of_the_server_have_the_same_headers() {
    let app = TestApp::start();
    let request =
        format!("GET /nowhere HTTP/1.1\r\nConnection: close\r\nX-Request-Id: mine\r\nOrigin: {ORIGIN}\r\n\r\n");
    let by_component = Reply::parse(&send(&app, request.as_bytes()));
    refused("mine", "", "", 404, "Not Found").expect(by_component);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn pipelined_requests_are_refused_in_turn() {
    let app = faulty();
    for refused in &all() {
        let first = "GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        let next = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let bytes = send(&app, format!("{first}{}{next}", refused.request()).as_bytes());
        let text = String::from_utf8_lossy(&bytes);
        let replies: Vec<_> = text.split_inclusive("HTTP/1.").skip(1).collect();
        assert_eq!(replies.len(), 3, "{}: {text}", refused.id);
        assert!(replies[..2].iter().all(|reply| reply.contains("\r\n\r\nfine")), "{}: {text}", refused.id);
        let last = text.rfind("HTTP/1.").expect("a reply");
        refused.expect(Reply::parse(&bytes[last..]));
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn the_method_and_the_version_of_a_refused_request_are_respected() {
    let app = faulty();
    for refused in &all() {
        let (_, rest) = refused.line.split_once(' ').expect("a method");
        let head = Refused { line: format!("HEAD {rest}").leak(), rest: refused.rest.clone(), ..*refused };
        let bytes = send(&app, head.request().as_bytes());
        let reply = Reply::parse(&bytes).expect_status(refused.status);
        refused.expect_headers(&reply);
        assert_eq!(reply.text(), "", "{}: a reply to HEAD has no body", refused.id);
        // Chunks are malformed in HTTP/1.0.
        if let Some(start) = refused.line.strip_suffix(" HTTP/1.1").filter(|_| !refused.id.contains("chunk")) {
            let old = Refused { line: format!("{start} HTTP/1.0").leak(), rest: refused.rest.clone(), ..*refused };
            let bytes = send(&app, old.request().as_bytes());
            assert!(bytes.starts_with(b"HTTP/1.0 "), "{}: {}", refused.id, bytes.escape_ascii());
            refused.expect(Reply::parse(&bytes));
        }
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn other_origins_cannot_read_refusals() {
    let app = TestApp::with(&[("cors_origins", r#"["https://app.example.org"]"#)]);
    let reply = |headers: &str| {
        Reply::parse(&send(&app, format!("GET / HTTP/1.1\r\n{headers}nothing\r\n\r\n").as_bytes()))
            .expect_detail(400, "Bad Request")
    };
    assert_eq!(
        reply("origin: https://app.example.org\r\n").header("access-control-allow-origin"),
        Some("https://app.example.org")
    );
    assert!(reply("Origin: HTTPS://APP.example.org\r\n").header("access-control-allow-origin").is_some());
    for origin in [ORIGIN, "null", "https://app.example.org.evil.example"] {
        let reply = reply(&format!("Origin: {origin}\r\n"));
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(reply.header("vary"), None, "{origin}");
    }
    assert_eq!(reply("").header("access-control-allow-credentials"), None);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn a_refused_request_without_an_id_is_logged_under_a_new_one() {
    let app = TestApp::with(&[("client_ip_header", "x-forwarded-for")]);
    let proxied = "GET /a?token=b HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.7\r\nnothing\r\n\r\n";
    let ids = [proxied.as_bytes(), b"\x16\x03\x01\r\n\r\n"].map(|request| {
        let reply = Reply::parse(&send(&app, request)).expect_detail(400, "Bad Request");
        reply.header("x-request-id").expect("an id").to_owned()
    });
    let log = app.into_log();
    let line = |id: &str| log.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id}: {log}"));
    assert!(line(&ids[0]).contains(" method=GET path=/a status=400 "), "{log}");
    assert!(line(&ids[0]).ends_with(" client=192.0.2.7"), "{log}");
    assert!(line(&ids[1]).contains(" method=- path=* status=400 "), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn a_path_without_a_component_is_404() {
    let app = TestApp::of(Project::migrated().edit("spin.toml", "route = \"/...\"", "route = \"/api/...\""));
    let get = refused("no-component", "GET /healthz HTTP/1.1", "Connection: close\r\n\r\n", 404, "Not Found");
    let post = "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nConnection: close\r\n\r\n";
    let post = refused("its-body-is-read", "POST /healthz HTTP/1.1", post, 404, "Not Found");
    get.expect(Reply::parse(&send(&app, get.request().as_bytes())));
    let replies = send(&app, post.request().as_bytes());
    let text = String::from_utf8_lossy(&replies);
    assert_eq!(text.matches("HTTP/1.1 404 Not Found").count(), 2, "{text}");
    let log = app.into_log();
    get.expect_logged(&log, 1);
    post.expect_logged(&log, 1);
}

/// A request waits 10 seconds for a place, 30 for its body, and 60 for its reply.
#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn requests_that_take_too_long_are_refused() {
    let app = faulty();
    let close = "Connection: close\r\n\r\n";
    let late = refused("late-body", "POST / HTTP/1.1", body(9, 1), 408, "Request Timeout");
    let slow = refused("slow", "GET /wait HTTP/1.1", close, 504, "Gateway Timeout");
    let busy = refused("busy", "GET / HTTP/1.1", close, 503, "The server is busy");
    let connect = |refused: &Refused| {
        let mut stream = TcpStream::connect(app.address()).expect("a connection");
        stream.write_all(refused.request().as_bytes()).expect("it is taken");
        stream
    };
    let read = |mut stream: TcpStream| {
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("a reply");
        Reply::parse(&reply)
    };
    let late_stream = connect(&late);
    // All places that one client can have.
    let places = (6 * thread::available_parallelism().map_or(1, usize::from)).min(32);
    let slow_streams: Vec<_> = (0..places).map(|_| connect(&slow)).collect();
    let busy_stream = connect(&busy);
    busy.expect(read(busy_stream));
    late.expect(read(late_stream));
    slow_streams.into_iter().for_each(|stream| slow.expect(read(stream)));
    let log = app.into_log();
    late.expect_logged(&log, 1);
    busy.expect_logged(&log, 1);
    slow.expect_logged(&log, places);
}

/// Random changes to heads find what hyper refuses by itself, with an empty reply without an id.
#[test]
#[cfg_attr(spin_host, ignore = "tests the replies of lanterne")]
fn every_reply_to_a_damaged_head_has_an_id() {
    let heads = [
        "GET /a/b?c=d HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\nExpect: 100-continue\r\n\r\n",
        "POST http://localhost/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "POST / HTTP/1.0\r\nConnection: keep-alive\r\nUpgrade: h2c\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nAccept:\r\n\r\n",
    ];
    let app = faulty();
    let mut random: u32 = 1;
    let mut next = move |below: usize| {
        // Numerical Recipes' generator.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    let (mut replies, mut refusals) = (0, 0);
    for round in 0..2000 {
        let mut bytes = heads[round % heads.len()].as_bytes().to_vec();
        for _ in 0..=next(3) {
            let index = next(bytes.len());
            match next(4) {
                0 => bytes[index] = u8::try_from(next(256)).expect("a byte"),
                1 => bytes[index] = b" \r\n:/\0,;@[]%"[next(12)],
                2 => drop(bytes.remove(index)),
                _ => bytes.insert(index, b" \r\n:/9-\x80a"[next(9)]),
            }
        }
        let mut stream = TcpStream::connect(app.address()).expect("a connection");
        stream.write_all(&bytes).expect("it is taken");
        stream.shutdown(Shutdown::Write).expect("it is connected");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("the end of the connection");
        let reply = reply.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&reply);
        if !reply.is_empty() {
            let reply = Reply::parse(reply);
            assert!(reply.header("x-request-id").is_some(), "{}: {reply}", bytes.escape_ascii());
            replies += 1;
            refusals += usize::from(reply.status() == 400);
        }
    }
    assert!(refusals > 400 && replies >= refusals, "{replies} {refusals}");
}
