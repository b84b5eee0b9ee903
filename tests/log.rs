//! The log of `lanterne up`: one line per request, and a log that cannot be written costs lines, never a request.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Project, SECRET, TestApp};

/// A project whose component logs a line for each login, too: it misses the key-value store.
fn without_store() -> Project {
    let (grant, other) = ("key_value_stores = [\"default\"]", "key_value_stores = [\"other\"]");
    Project::migrated().edit("spin.toml", grant, other)
}

fn json_format(project: Project) -> Project {
    project.flag("--log-format").flag("json")
}

#[track_caller]
fn parse(log: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    log.lines().map(parse).collect()
}

#[track_caller]
fn expect_answers(app: &TestApp) {
    for _ in 0..4 {
        app.try_login("nobody@example.com", PASSWORD).expect_status(401);
        app.get("/healthz").send().expect_status(200);
    }
}

/// Sends `count` requests over one connection, all of them before it reads a reply.
fn send_pipelined(app: &TestApp, count: usize) {
    let mut socket = TcpStream::connect(app.address()).expect("it listens");
    let mut reader = socket.try_clone().expect("a second handle");
    thread::scope(|scope| {
        scope.spawn(move || {
            let requests = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(count - 1)
                + "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            socket.write_all(requests.as_bytes()).expect("the server reads");
        });
        let mut replies = String::new();
        reader.read_to_string(&mut replies).expect("the server answers");
        assert_eq!(replies.matches("HTTP/1.1 200 OK").count(), count);
    });
}

#[test]
#[cfg_attr(spin_host, ignore = "what becomes of standard error is the host's own")]
fn a_log_that_cannot_be_written_fails_no_request() {
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    expect_answers(&TestApp::logging_to(without_store(), full));
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    expect_answers(&TestApp::logging_to(without_store(), writer));
}

#[test]
#[cfg_attr(spin_host, ignore = "what becomes of standard error is the host's own")]
fn a_log_that_nobody_reads_loses_lines_and_says_how_many() {
    // More than the program and the pipe hold.
    const REQUESTS: usize = 6000;
    let (reader, writer) = io::pipe().expect("a pipe");
    let app = TestApp::logging_to(json_format(Project::migrated()), writer);
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| send_pipelined(&app, REQUESTS / 4)))));
    let lines = thread::spawn(|| BufReader::new(reader).lines().map_while(Result::ok).collect::<Vec<_>>());
    app.get("/").send().expect_status(200);
    app.stop();
    let records = parse(&lines.join().expect("it does not panic").join("\n"));
    let missing = |record: &Value| {
        let words = record["message"].as_str()?.strip_suffix(" lines are missing")?;
        words.rsplit(' ').next()?.parse::<usize>().ok()
    };
    let missing: Vec<usize> = records.iter().filter_map(missing).collect();
    let logged = records.iter().filter(|record| record["message"] == "request").count();
    assert!(!missing.is_empty() && logged < REQUESTS, "{missing:?}");
    assert_eq!(logged + missing.iter().sum::<usize>(), REQUESTS + 1, "{missing:?}");
}

#[test]
#[cfg_attr(spin_host, ignore = "the format is the host's own")]
fn lines_of_simultaneous_requests_do_not_mix() {
    let app = TestApp::of(json_format(Project::migrated().variable("debug", "true")));
    thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| send_pipelined(&app, 100)))));
    let records = parse(&app.into_log());
    let count = |is_counted: &dyn Fn(&Value) -> bool| records.iter().filter(|record| is_counted(record)).count();
    assert_eq!(count(&|record| record["message"] == "request" && record["status"] == 200), 800);
    assert_eq!(count(&|record| record["component"] == "api"), 800);
}

#[test]
#[cfg_attr(spin_host, ignore = "the format is the host's own")]
fn a_request_has_one_line_without_secrets() {
    let app = TestApp::with(&[("client_ip_header", "x-forwarded-for"), ("debug", "true")]);
    let account = app.register("user@example.com");
    let tokens = app.login(&account);
    let login = json!({"email": account.email, "password": PASSWORD});
    let request = app.post("/auth/login").header("x-request-id", "mine-1").header("x-forwarded-for", "192.0.2.7");
    request.json(&login).send().expect_status(200);
    app.refresh(&tokens.refresh);
    app.get(&format!("/users/me?token={}", tokens.access)).bearer(&tokens.access).send().expect_status(200);
    let reply = app.post("/auth/login").raw_body(vec![b' '; 300 << 10]).send().expect_status(413);
    let id = reply.header("x-request-id").expect("also in replies of the host").to_owned();
    let log = app.into_log();

    let line = |part: &str| log.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {log}"));
    let words: Vec<&str> = line("request request_id=mine-1 ").split_whitespace().collect();
    assert!(words[0].ends_with('Z') && words[7].starts_with("ms="), "{words:?}");
    let expected = ["INFO", "request", "request_id=mine-1", "method=POST", "path=/auth/login", "status=200"];
    assert_eq!((&words[1..7], words[8..].to_vec()), (&expected[..], vec!["client=192.0.2.7"]));
    assert!(line(&id).contains("status=413") && line(&id).ends_with("client=127.0.0.1"), "{log}");
    for secret in [PASSWORD, SECRET, &tokens.access, &tokens.refresh, &account.email] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "the format is the host's own")]
fn a_request_whose_client_has_gone_is_499() {
    let app = TestApp::start();
    let body = json!({"email": "nobody@example.com", "password": PASSWORD}).to_string();
    let mut socket = TcpStream::connect(app.address()).expect("it listens");
    let head = "POST /auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
    socket.shutdown(Shutdown::Both).expect("it is connected");
    app.get("/healthz").send().expect_status(200);
    let log = app.into_log();
    assert!(log.contains("path=/auth/login status=499"), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "the levels are the host's own")]
fn lines_below_the_level_are_left_out() {
    for (level, is_logged) in [("error", false), ("warn", false), ("info", true), ("debug", true)] {
        let app = TestApp::of(Project::migrated().flag("--log-level").flag(level));
        app.get("/healthz").send().expect_status(200);
        let log = app.into_log();
        assert_eq!(log.contains("path=/healthz"), is_logged, "{level}: {log}");
    }
}
