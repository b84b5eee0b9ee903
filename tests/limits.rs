//! Clients that make the server wait or buffer do not block others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Finished, Host, Project, TestApp};

const BODY: &str = r#"{"refresh_token":"x"}"#;

/// Sends the head of a request and waits until the server asks for the body.
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
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn unfinished_uploads_do_not_block_other_requests() {
    let app = TestApp::start();
    // Several times the number of instances.
    let uploads: Vec<_> = (0..200).map(|_| begin_upload(&app)).collect();
    app.get("/healthz").send().expect_status(200);
    for upload in uploads {
        let status = end_upload(upload);
        assert!(status.contains(" 401 "), "{status}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn a_request_in_flight_at_shutdown_is_answered() {
    let app = TestApp::start();
    let address = app.address().to_owned();
    let upload = begin_upload(&app);
    let stopping = std::thread::spawn(|| app.stop());
    // The server has seen the signal once it refuses connections.
    while TcpStream::connect(&address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let status = end_upload(upload);
    assert!(status.contains(" 401 "), "{status}");
    assert_eq!(stopping.join().expect("no panic"), Some(0));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn a_body_beyond_the_hosts_limit_is_413() {
    let app = TestApp::start();
    let reply = app.post("/auth/refresh").raw_body(vec![b'x'; 7 << 20]).send();
    reply.expect_detail(413, "Payload Too Large");
    // With `Expect: 100-continue` the refusal comes before the body.
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    let head = "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("the head is taken");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    assert!(reply.starts_with("HTTP/1.1 413 ") && reply.contains("connection: close"), "{reply}");
    app.get("/healthz").send().expect_status(200);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the limits of lanterne")]
fn an_unreadable_value_in_dotenv_is_reported_without_its_content() {
    for (line, fault) in [
        ("SECRET_KEY=\"geheim", "SECRET_KEY: line 3: a quote is not closed"),
        (
            "secret_key='geheim' und lang",
            "secret_key: line 3: a quote is not closed, here or in an earlier line, or something",
        ),
        ("SPIN_VARIABLE_SECRET_KEY=geheim und lang", "SPIN_VARIABLE_SECRET_KEY: line 3: Spin cannot read this value"),
    ] {
        let project = Project::empty().file(".env", &format!("# a comment\nDEBUG=false\n{line}\n"));
        let finished = Finished::of(project.serve(Host::Lanterne, "127.0.0.1:0"));
        finished.failed(2, &[".env", fault]);
        assert!(!finished.stderr.contains("geheim"), "{finished:?}");
    }
}
