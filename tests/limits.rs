//! What a client can make the server wait for or keep, and what becomes of the others meanwhile.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Finished, Host, Project, TestApp, only_on_lanterne};

const WHY: &str = "the limits are lanterne's own";
const BODY: &str = r#"{"refresh_token":"x"}"#;

/// A request whose body has not come yet, and which the server has begun to wait for.
fn begin_upload(app: &TestApp) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(app.address()).expect("a connection"));
    let length = BODY.len();
    let head =
        format!("POST /auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes()).expect("the head is taken");
    let mut line = String::new();
    stream.read_line(&mut line).expect("a line");
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    stream.read_line(&mut line).expect("an empty line");
    stream
}

/// Sends the body and returns the status line of the reply.
fn end_upload(mut stream: BufReader<TcpStream>) -> String {
    stream.get_mut().write_all(BODY.as_bytes()).expect("the body is taken");
    let mut line = String::new();
    stream.read_line(&mut line).expect("a line");
    line
}

#[test]
fn uploads_that_do_not_end_keep_nobody_from_being_served() {
    if !only_on_lanterne(WHY) {
        return;
    }
    let app = TestApp::start();
    // Several times the instances that there may be.
    let uploads: Vec<_> = (0..200).map(|_| begin_upload(&app)).collect();
    app.get("/healthz").send().expect_status(200);
    for upload in uploads {
        let status = end_upload(upload);
        assert!(status.contains(" 401 "), "{status}");
    }
}

#[test]
fn a_request_in_flight_when_the_server_is_stopped_is_answered() {
    if !only_on_lanterne(WHY) {
        return;
    }
    let app = TestApp::start();
    let address = app.address().to_owned();
    let upload = begin_upload(&app);
    let stopping = std::thread::spawn(|| app.stop());
    // It has heard of it once it takes no more connections.
    while TcpStream::connect(&address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let status = end_upload(upload);
    assert!(status.contains(" 401 "), "{status}");
    assert_eq!(stopping.join().expect("no panic"), Some(0));
}

#[test]
fn a_body_that_is_far_too_large_is_413_for_a_client_that_sends_all_of_it_first() {
    if !only_on_lanterne(WHY) {
        return;
    }
    let app = TestApp::start();
    let reply = app.post("/auth/refresh").raw_body(vec![b'x'; 7 << 20]).send();
    reply.expect_detail(413, "Payload Too Large");
    // One that asks first is told before it sends anything.
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    let head = "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("the head is taken");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    assert!(reply.starts_with("HTTP/1.1 413 ") && reply.contains("connection: close"), "{reply}");
    app.get("/healthz").send().expect_status(200);
}

#[test]
fn a_line_of_dotenv_that_is_wrong_is_named_without_what_it_says() {
    if !only_on_lanterne(WHY) {
        return;
    }
    for wrong in ["SECRET_KEY=geheim und lang", "SECRET_KEY: geheim", "geheim", "SECRET_KEY=\"geheim"] {
        let project = Project::empty().file(".env", &format!("# a comment\nDEBUG=false\n{wrong}\n"));
        let finished = Finished::of(project.serve(Host::Lanterne, "127.0.0.1:0"));
        finished.failed(1, &[".env", "entry 2 is not NAME=value"]);
        assert!(!finished.stderr.contains("geheim"), "{finished:?}");
    }
}
