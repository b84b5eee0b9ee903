//! Cross-origin requests.

use serde_json::json;

use crate::support::{Reply, TestApp};

const ORIGINS: [&str; 2] = ["http://localhost:3000", "http://localhost:8000"];

/// Asserts that a browser lets `origin` read the reply, with credentials.
#[track_caller]
fn expect_allowed(reply: &Reply, origin: &str) {
    assert_eq!(reply.header("access-control-allow-origin"), Some(origin), "{reply}");
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{reply}");
    assert_eq!(reply.header("access-control-expose-headers"), Some("Retry-After, X-Request-Id"), "{reply}");
    assert_eq!(reply.header("vary").map(str::to_lowercase).as_deref(), Some("origin"), "{reply}");
}

#[test]
fn default_origins_may_read_every_kind_of_reply() {
    let app = TestApp::start();
    for origin in ORIGINS {
        for (method, path, status) in [
            ("GET", "/healthz", 200),
            ("GET", "/nowhere", 404),
            ("PUT", "/healthz", 405),
            ("POST", "/auth/login", 422),
            ("GET", "/healthz/", 307),
        ] {
            let reply = app.request(method, path).header("origin", origin).send().expect_status(status);
            expect_allowed(&reply, origin);
        }
        let reply = app.post("/auth/login").header("origin", origin).raw_body(vec![b'x'; 65 * 1024]).send();
        expect_allowed(&reply.expect_status(413), origin);
    }
}

#[test]
fn other_origins_get_no_cors_headers() {
    let app = TestApp::start();
    for origin in ["http://localhost:3001", "https://localhost:3000", "http://localhost:3000.evil.example", "null"] {
        let reply = app.get("/healthz").header("origin", origin).send().expect_status(200);
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(reply.header("access-control-expose-headers"), None, "{origin}");
    }
    let reply = app.get("/healthz").send();
    assert_eq!(reply.header("access-control-allow-credentials"), None, "nobody asked");
}

#[test]
fn preflight_allows_the_origin_the_method_and_the_headers() {
    let app = TestApp::start();
    for (origin, path) in [(ORIGINS[0], "/auth/login"), (ORIGINS[1], "/auth/register"), (ORIGINS[0], "/nowhere")] {
        let reply = app
            .request("OPTIONS", path)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type, x-other")
            .send()
            .expect_status(200);
        expect_allowed(&reply, origin);
        assert_eq!(reply.text(), "OK");
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        assert_eq!(reply.header("access-control-allow-headers"), Some("content-type, x-other"));
        let methods = reply.header("access-control-allow-methods").expect("methods");
        assert_eq!(methods.split(", ").count(), 7, "{methods}");
    }
}

#[test]
fn preflight_refuses_with_a_detail() {
    let app = TestApp::start();
    let preflight = |origin: &str, method: &str| {
        let request = app.request("OPTIONS", "/auth/login").header("origin", origin);
        request.header("access-control-request-method", method).send()
    };
    let reply = preflight("http://evil.example", "POST").expect_detail(400, "Disallowed CORS origin");
    assert_eq!(reply.header("access-control-allow-origin"), None);
    preflight(ORIGINS[0], "TRACE").expect_detail(400, "Disallowed CORS method");
}

#[test]
fn the_schemes_of_apps_and_sloppy_origins_can_be_configured() {
    let value = "capacitor://localhost, app://My-App, https://App.Example.org:443/, http://b\u{fc}cher.example";
    let app = TestApp::with(&[("cors_origins", value)]);
    for origin in [
        "capacitor://localhost",
        "app://my-app",
        "app://My-App",
        "https://app.example.org",
        "http://xn--bcher-kva.example",
    ] {
        expect_allowed(&app.get("/healthz").header("origin", origin).send(), origin);
    }
    for origin in ["https://localhost", "capacitor://localhost.example", "https://app.example.org:444"] {
        let reply = app.get("/healthz").header("origin", origin).send();
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[test]
fn scripts_can_read_when_to_try_again() {
    let app = TestApp::start();
    let login = || {
        let body = json!({"email": "nobody@example.com", "password": "wrong"});
        app.post("/auth/login").header("origin", ORIGINS[0]).json(&body).send()
    };
    for _ in 0..10 {
        login().expect_status(401);
    }
    let reply = login().expect_status(429);
    expect_allowed(&reply, ORIGINS[0]);
    assert!(reply.header("retry-after").is_some() && reply.header("x-request-id").is_some(), "{reply}");
}

#[test]
fn origins_can_be_configured_with_commas_or_as_json() {
    for value in ["https://app.example.org,http://b.example", r#"["https://app.example.org", "http://b.example"]"#] {
        let app = TestApp::with(&[("cors_origins", value)]);
        for origin in ["https://app.example.org", "http://b.example"] {
            expect_allowed(&app.get("/healthz").header("origin", origin).send(), origin);
        }
        let reply = app.get("/healthz").header("origin", ORIGINS[0]).send();
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
}
