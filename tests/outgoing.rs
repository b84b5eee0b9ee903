//! Requests that components send: what the manifest allows, what is refused, and how each failure is reported.

use std::net::TcpListener;

use crate::support::{Authority, Project, Receiver, Reply, TestApp};

/// The list of the API in the manifest.
const ALLOWED: &str = r#"allowed_outbound_hosts = ["{{ mail_webhook_url }}"]"#;

/// A project whose API is the component for tests, and which may send requests to these hosts.
fn project(allowed: &[&str]) -> Project {
    let project = Project::migrated().edit("spin.toml", "release/api.wasm", "release/faulty.wasm");
    project.edit("spin.toml", ALLOWED, &format!("allowed_outbound_hosts = {allowed:?}"))
}

fn app(allowed: &[&str]) -> TestApp {
    TestApp::of(project(allowed))
}

/// Lets the component send `GET url`, and returns the response or the error as text.
#[track_caller]
fn send(app: &TestApp, url: &str) -> String {
    app.get("/send").header("target", url).send().expect_status(200).text()
}

/// Asserts the error of a request.
#[track_caller]
fn expect_error(result: &str, code: &str) {
    assert!(result.contains(&format!("ErrorCode::{code}")), "{code}: {result}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_request_and_its_response_pass_unchanged() {
    let receiver = Receiver::start();
    let app = app(&[&receiver.origin()]);
    let request = app.post("/send").header("target", &receiver.url("/path?query=1"));
    let text = request.raw_body("the body").send().expect_status(200).text();
    let (head, body) = text.split_once("\r\n\r\n").expect("an echo");
    assert!(head.starts_with("200 \nPOST /path?query=1 HTTP/1.1\r\n"), "{text}");
    for line in ["x-passed: yes", "connection: close", &format!("host: 127.0.0.1:{}", receiver.port())] {
        assert!(head.lines().any(|other| other.eq_ignore_ascii_case(line)), "{line}: {text}");
    }
    assert!(body.contains("the body"), "{text}");
    for status in ["204", "404", "503"] {
        assert_eq!(send(&app, &receiver.url(&format!("/status?{status}"))), format!("{status} \n"));
    }
    assert_eq!(send(&app, &receiver.url("/size?1048576")), "200 \n1048576 bytes");
    assert_eq!(send(&app, &receiver.url("/chunks?16")), "200 \n1048576 bytes");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn other_hosts_ports_and_schemes_are_denied() {
    let (receiver, other) = (Receiver::start(), Receiver::start());
    let app = app(&[&receiver.origin()]);
    let port = receiver.port();
    for url in [
        other.url("/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://127.0.0.1/".to_owned(),
        "https://example.com/".to_owned(),
    ] {
        expect_error(&send(&app, &url), "HttpRequestDenied");
    }
    // A user name that looks like the host that is allowed.
    for url in [format!("http://127.0.0.1:{port}@localhost:{port}/"), "http://127.0.0.1:99999/".to_owned()] {
        expect_error(&send(&app, &url), "HttpRequestUriInvalid");
    }
    assert!(send(&app, &receiver.url("/allowed")).starts_with("200 "));
    // The same address, written differently.
    assert!(send(&app, &format!("http://127.1:{port}/allowed")).starts_with("200 "));
    assert_eq!((receiver.requests().len(), other.requests().len()), (2, 0));
    let log = app.into_log();
    let denied = format!("request to {} denied", other.origin());
    assert!(log.contains(&denied), "{denied}: {log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn variables_say_what_is_allowed_and_empty_ones_allow_nothing() {
    let receiver = Receiver::start();
    let url = receiver.url("/");
    expect_error(&send(&app(&[]), &url), "HttpRequestDenied");
    let without = Project::migrated().edit("spin.toml", "release/api.wasm", "release/faulty.wasm");
    expect_error(&send(&TestApp::of(without.edit("spin.toml", ALLOWED, "")), &url), "HttpRequestDenied");
    let with_variable = |value: &str| {
        let project = project(&["{{ receiver }}"]);
        TestApp::of(project.edit("spin.toml", "[variables]\n", &format!("[variables]\nreceiver.default = {value:?}\n")))
    };
    expect_error(&send(&with_variable(""), &url), "HttpRequestDenied");
    assert!(send(&with_variable(&receiver.origin()), &url).starts_with("200 "));
    let app = with_variable("");
    assert!(send(&app.restart_with(&[("receiver", &receiver.origin())]), &url).starts_with("200 "));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn an_invalid_entry_stops_the_start_and_its_value_is_not_shown() {
    let refused = |project: Project| TestApp::try_of(project).err().expect("the server started");
    for (entry, reason) in [
        ("example.com", "scheme"),
        ("", "scheme"),
        ("https://example.com/hook", "path"),
        ("https://example.com:port", "port"),
        ("http://self", "own app"),
        ("http://api.spin.internal", "other components"),
    ] {
        refused(project(&[entry])).failed(1, &["spin.toml: allowed_outbound_hosts", &format!("{entry:?}"), reason]);
    }
    refused(project(&["{{ no_such_variable }}"])).failed(1, &["no_such_variable"]);
    let project = project(&["{{ receiver }}"]);
    let project =
        project.edit("spin.toml", "[variables]\n", "[variables]\nreceiver.default = \"https://host:geheim\"\n");
    let finished = refused(project);
    finished.failed(1, &["{{ receiver }}", "its variables", "port"]);
    assert!(!finished.stderr.contains("geheim"), "{finished:?}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn redirects_are_not_followed() {
    let (receiver, target) = (Receiver::start(), Receiver::start());
    let app = app(&[&receiver.origin(), &target.origin()]);
    for to in [target.url("/"), receiver.url("/")] {
        assert_eq!(send(&app, &receiver.url(&format!("/redirect?{to}"))), format!("301 {to}\n"));
    }
    assert_eq!((receiver.requests().len(), target.requests().len()), (2, 0));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn each_failure_has_its_code() {
    let receiver = Receiver::start();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let closed = format!("http://{closed}");
    let app = app(&[&receiver.origin(), &closed, "http://no-such-host.invalid", "https://127.0.0.1:*"]);
    for (path, code) in [
        ("/size?1048577", "HttpResponseBodySize(Some(1048577))"),
        ("/chunks?17", "HttpResponseBodySize(None)"),
        ("/head", "HttpResponseHeaderSectionSize"),
        ("/garbage", "HttpProtocolError"),
        ("/bad-chunk", "HttpProtocolError"),
        ("/half", "HttpResponseIncomplete"),
        ("/close", "ConnectionTerminated"),
        ("/status?101", "HttpUpgradeFailed"),
    ] {
        expect_error(&send(&app, &receiver.url(path)), code);
    }
    expect_error(&send(&app, &closed), "ConnectionRefused");
    expect_error(&send(&app, "http://no-such-host.invalid/"), "DnsError");
    // Not a TLS server.
    expect_error(&send(&app, &format!("https://127.0.0.1:{}/", receiver.port())), "TlsProtocolError");
    expect_error(
        &app.get("/send").header("target", &receiver.url("/")).header("method", "CONNECT").send().text(),
        "HttpRequestMethodInvalid",
    );
    assert_eq!(send(&app, &receiver.url("/status?200")), "200 \n", "the component continues");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn only_certificates_of_trusted_authorities_for_the_host_are_accepted() {
    let authority = Authority::new();
    let good = Receiver::start_tls(authority.server("127.0.0.1", 2200));
    let named = Receiver::start_tls(authority.server("localhost", 2200));
    let expired = Receiver::start_tls(authority.server("127.0.0.1", 2001));
    let untrusted = Receiver::start_tls(Authority::new().server("127.0.0.1", 2200));
    let project = project(&["https://127.0.0.1:*", "https://localhost:*", "http://127.0.0.1:*"]);
    let app = TestApp::of(authority.trusted_by(project));
    assert!(send(&app, &good.url("/")).starts_with("200 "));
    assert!(send(&app, &named.url("/").replace("127.0.0.1", "localhost")).starts_with("200 "));
    for receiver in [&named, &expired, &untrusted] {
        expect_error(&send(&app, &receiver.url("/")), "TlsCertificateError");
    }
    let for_clients = Receiver::start_tls(authority.server_for_certified_clients("127.0.0.1", 2200));
    expect_error(&send(&app, &for_clients.url("/")), "TlsAlertReceived");
    // Plain HTTP to a TLS server.
    let plain = send(&app, &good.url("/").replace("https", "http"));
    assert!(plain.contains("ErrorCode::"), "{plain}");
    assert_eq!((expired.requests().len(), untrusted.requests().len(), named.requests().len()), (0, 0, 1));
    let log = app.into_log();
    assert!(log.contains("invalid peer certificate"), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn without_trusted_certificates_nothing_is_accepted_and_the_log_says_so() {
    let receiver = Receiver::start_tls(Authority::new().server("127.0.0.1", 2200));
    let project = project(&[&receiver.origin()]).environment("SSL_CERT_FILE", "/no/such/file.pem");
    let app = TestApp::of(project);
    expect_error(&send(&app, &receiver.url("/")), "TlsCertificateError");
    let log = app.into_log();
    assert!(log.contains("no trusted certificates") && log.contains("/no/such/file.pem"), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn slow_responses_end_with_a_timeout() {
    let receiver = Receiver::start();
    let app = app(&[&receiver.origin(), "https://127.0.0.1:*"]);
    let send_with =
        |option: &str, url: &str| -> Reply { app.get("/send").header("target", url).header(option, "200").send() };
    // It accepts a connection, and does not answer the TLS handshake.
    let stuck = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let stuck_url = format!("https://{}/", stuck.local_addr().expect("an address"));
    std::thread::scope(|scope| {
        // The limit of the host, whatever the component asks for.
        let whole = ["/silent", "/stall", "/drip"].map(|path| {
            let (app, url) = (&app, receiver.url(path));
            scope.spawn(move || app.get("/send").header("target", &url).header("first-byte-ms", "600000").send().text())
        });
        expect_error(&send_with("first-byte-ms", &receiver.url("/silent")).text(), "ConnectionReadTimeout");
        expect_error(&send_with("between-bytes-ms", &receiver.url("/stall")).text(), "ConnectionReadTimeout");
        expect_error(&send_with("connect-ms", &stuck_url).text(), "ConnectionTimeout");
        expect_error(&send(&app, &stuck_url), "ConnectionTimeout");
        for result in whole {
            expect_error(&result.join().expect("no panic"), "HttpResponseTimeout");
        }
    });
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn simultaneous_requests_are_limited_and_wait_for_their_turn() {
    let receiver = Receiver::start();
    let app = app(&[&receiver.origin()]);
    let send_many = |count: &str, waiting: usize| -> Vec<String> {
        let url = receiver.url(&format!("/gather?{waiting}"));
        let text = app.get("/send-many").header("target", &url).header("count", count).send().text();
        text.split("200 \n").skip(1).map(|body| body.trim().to_owned()).collect()
    };
    assert_eq!(send_many("12", 8), ["gathered"; 12], "of one instance");
    assert_eq!(receiver.peak(), 8);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| send_many("8", 32))).collect();
        for _ in 0..4 {
            app.get("/").send().expect_status(200);
        }
        all.into_iter().for_each(|results| assert_eq!(results.join().expect("no panic"), ["gathered"; 8]));
    });
    assert_eq!(receiver.peak(), 32, "of all instances");
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn responses_that_are_not_read_count_as_requests() {
    let receiver = Receiver::start();
    let app = app(&[&receiver.origin()]);
    let text = app.get("/send-unread").header("target", &receiver.url("/")).send().text();
    assert_eq!(text, r#"refused ["ErrorCode::ConnectionLimitReached"] then Ok(200)"#);
    assert_eq!(receiver.requests().len(), 9);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn sockets_are_denied_to_a_component_that_may_send_requests() {
    let receiver = Receiver::start();
    let app = app(&["*://*:*"]);
    let target = format!("127.0.0.1:{}", receiver.port());
    assert_eq!(app.get("/socket").header("target", &target).send().text(), "Err(PermissionDenied) true");
    assert!(send(&app, &receiver.url("/")).starts_with("200 "));
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn commands_send_requests_within_the_same_limits() {
    let authority = Authority::new();
    let (plain, tls) = (Receiver::start(), Receiver::start_tls(authority.server("127.0.0.1", 2200)));
    let other = Receiver::start();
    let allowed = format!("[component.prune]\nallowed_outbound_hosts = [{:?}, {:?}]", plain.origin(), tls.origin());
    let project = Project::new().edit("spin.commands.toml", "release/prune.wasm", "release/faulty-command.wasm");
    let project = authority.trusted_by(project.edit("spin.commands.toml", "[component.prune]", &allowed));
    for receiver in [&plain, &tls] {
        let output = project.run("prune", &[&receiver.url("/hook")]).succeeded();
        assert!(output.starts_with("200 POST /hook HTTP/1.1"), "{output}");
        assert!(output.contains("from a command"), "{output}");
    }
    project
        .run("prune", &[&other.url("/")])
        .failed(1, &["HttpRequestDenied", "allowed_outbound_hosts of [component.prune]"]);
    assert!(other.requests().is_empty());
    project.run("prune", &[&plain.url("/close")]).failed(1, &["ConnectionTerminated"]);
    project.run("prune", &[&plain.url("/size?2000000")]).failed(1, &["HttpResponseBodySize"]);
}
