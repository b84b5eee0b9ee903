//! Replies to requests with unusual framing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::TestApp;

/// Sends bytes on one connection and returns everything until the server closes it.
fn send(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn chunked_bodies_are_accepted() {
    let app = TestApp::start();
    let head = "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = send(&app, &format!("{head}5\r\n{{\"ref\r\n10\r\nresh_token\":\"x\"}}\r\n0\r\n\r\n"));
    assert_eq!(status(&reply), "401", "{reply}");
    let reply = send(&app, &format!("{head}0\r\n\r\n"));
    assert_eq!(status(&reply), "422", "{reply}");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin accepts such requests")]
fn a_request_with_two_lengths_is_refused_and_closes_the_connection() {
    let app = TestApp::start();
    let two =
        "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let reply = send(&app, &format!("{two}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(status(&reply), "400", "{reply}");
    assert_eq!(reply.matches("HTTP/1.1").count(), 1, "what follows is not taken for a request: {reply}");
    // The same for a later request on a connection.
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("the request is taken");
    let mut first = [0; 1024];
    let length = stream.read(&mut first).expect("a reply");
    assert_eq!(status(&String::from_utf8_lossy(&first[..length])), "200");
    stream.write_all(two.as_bytes()).expect("the request is taken");
    let mut second = String::new();
    stream.read_to_string(&mut second).expect("a reply");
    assert_eq!(status(&second), "400", "{second}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn a_request_head_may_have_64_kib() {
    let app = TestApp::start();
    let start = "GET /healthz HTTP/1.1\r\nConnection: close\r\nCookie: ";
    for (size, expected) in [(64 * 1024, "200"), (64 * 1024 + 1, "431")] {
        let head = format!("{start}{}\r\n\r\n", "a".repeat(size - start.len() - 4));
        // In two pieces, so that the first is not complete.
        let mut stream = TcpStream::connect(app.address()).expect("a connection");
        stream.write_all(&head.as_bytes()[..10_000]).expect("the first piece is taken");
        app.get("/healthz").send().expect_status(200);
        stream.write_all(&head.as_bytes()[10_000..]).expect("the second piece is taken");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        assert_eq!(status(&reply), expected, "{size}: {reply}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin keeps the connection open")]
fn a_chunked_request_is_the_last_on_its_connection() {
    let app = TestApp::start();
    let head = "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";
    let next = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    // After another request, and with an interim reply.
    for request in
        [format!("{next}{head}\r\n0\r\n\r\n{next}"), format!("{head}Expect: 100-continue\r\n\r\n0\r\n\r\n{next}")]
    {
        let reply = send(&app, &request);
        assert!(reply.contains("connection: close"), "{reply}");
        assert!(reply.ends_with('}'), "{reply}");
        let replies = reply.matches("HTTP/1.1").count() - reply.matches("HTTP/1.1 100").count();
        assert_eq!(replies, request.matches("HTTP/1.1").count() - 1, "{reply}");
    }
}

#[test]
fn a_request_head_may_arrive_in_pieces() {
    let app = TestApp::start();
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    for piece in ["GET /heal", "thz HTTP/1.1\r\nHo", "st: x\r\nConnection: close\r\n", "\r\n"] {
        stream.write_all(piece.as_bytes()).expect("the piece is taken");
    }
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    assert_eq!(status(&reply), "200", "{reply}");
}
