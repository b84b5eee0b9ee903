//! Starting and stopping: signals, the service manager, a locked database.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Database, Host, Project, TestApp};

/// How long to wait for a notification, so that a missing one fails the test instead of blocking it.
const NOTIFIED_WITHIN: Duration = Duration::from_secs(60);

/// Sends the first bytes of a request.
fn begin(app: &TestApp, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.write_all(bytes.as_bytes()).expect("the bytes are taken");
    stream
}

/// Starts a server whose database another program has locked, and waits until it says so.
fn start_locked(project: &Project) -> (Child, Database) {
    let other = Database::open(&project.path("state/sqlite_db.db"));
    other.execute_all("BEGIN EXCLUSIVE");
    let mut child = project.serve(Host::Lanterne, "127.0.0.1:0").spawn().expect("a program");
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().expect("it is piped")).read_line(&mut line).expect("a line");
    assert!(line.contains("sqlite_db.db is locked by another program: waiting"), "{line}");
    (child, other)
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the shutdown of lanterne")]
fn a_half_sent_request_does_not_delay_the_stop() {
    let app = TestApp::of(Project::migrated().flag("--stop-timeout").flag("600"));
    let _half_sent = begin(&app, "GET /healthz HTT");
    let _idle = begin(&app, "");
    // Accepted after the others.
    app.get("/healthz").send().expect_status(200);
    let stdout = app.finish().succeeded();
    assert_eq!(stdout.lines().last(), Some("Stopped. 1 request was cut off."));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the shutdown of lanterne")]
fn requests_beyond_the_stop_timeout_are_cut_off_and_counted() {
    let project = Project::migrated().flag("--stop-timeout").flag("0");
    let app = TestApp::of(project.edit("spin.toml", "release/api.wasm", "release/faulty.wasm"));
    let _computing = [(), ()].map(|()| begin(&app, "GET /compute HTTP/1.1\r\nHost: x\r\n\r\n"));
    app.get("/").send().expect_status(200);
    let finished = app.finish();
    assert!(!finished.stderr.contains("ERROR"), "a request that is cut off is no failure: {}", finished.stderr);
    assert_eq!(finished.succeeded().lines().last(), Some("Stopped. 2 requests were cut off."));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the signals of lanterne")]
fn a_closed_terminal_does_not_stop_the_server() {
    let app = TestApp::start();
    app.signal(Signal::HUP);
    app.get("/healthz").send().expect_status(200);
    assert_eq!(app.stop(), Some(0));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the signals of lanterne")]
fn the_service_manager_is_told_of_start_and_stop() {
    let project = Project::migrated();
    let path = project.path("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(NOTIFIED_WITHIN)).expect("a time above zero");
    let app = TestApp::of(project.environment("NOTIFY_SOCKET", path.to_str().expect("it is UTF-8")));
    let received = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    assert_eq!(received(), "READY=1");
    app.get("/healthz").send().expect_status(200);
    assert_eq!(app.stop(), Some(0));
    assert_eq!(received(), "STOPPING=1");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the start of lanterne")]
fn a_locked_database_is_reported_at_once_and_waited_for() {
    let project = Project::migrated().migrate_on_start();
    let (mut child, other) = start_locked(&project);
    other.execute_all("COMMIT");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let line = stdout.lines().map_while(Result::ok).find(|line| line.starts_with("Listening on "));
    assert!(line.is_some(), "it starts when the database is free");
    kill_process(Pid::from_child(&child), Signal::TERM).expect("our own child");
    assert!(child.wait().expect("our own child").success());
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the signals of lanterne")]
fn a_signal_during_the_start_ends_the_program() {
    for signal in [Signal::TERM, Signal::INT] {
        let project = Project::migrated().migrate_on_start();
        let (mut child, _other) = start_locked(&project);
        kill_process(Pid::from_child(&child), signal).expect("our own child");
        assert_eq!(child.wait().expect("our own child").code(), Some(0));
    }
}
