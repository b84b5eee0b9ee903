//! Errors outside the handlers: each has a `detail`.

use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[test]
fn unknown_paths_are_404() {
    let app = TestApp::start();
    for path in
        ["/nowhere", "/auth", "/auth/nowhere", "/HEALTHZ", "//healthz", "//", "///", "//healthz/", "/auth/login/x"]
    {
        app.get(path).send().expect_detail(404, "Not Found");
    }
}

#[test]
fn other_methods_are_405_with_an_allow_header() {
    let app = TestApp::start();
    for (path, allowed, others) in [
        ("/healthz", "GET", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("/", "GET", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("/auth/login", "POST", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("/auth/register", "POST", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        ("/auth/refresh", "POST", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ] {
        for method in others {
            let reply = app.request(method, path).send().expect_detail(405, "Method Not Allowed");
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        }
        let reply = app.request("HEAD", path).send().expect_status(405);
        assert_eq!((reply.header("allow"), reply.text().as_str()), (Some(allowed), ""), "{path}");
    }
}

#[test]
fn a_trailing_slash_is_redirected() {
    let app = TestApp::start();
    let reply = app.get("/healthz/?a=b").send().expect_status(307);
    assert_eq!(reply.text(), "");
    assert_eq!(reply.header("location"), Some("/healthz?a=b"));
    // Relative, because a forged Host header must not redirect to another site.
    for (path, location) in
        [("/admin/users/x%3Fy/", "/admin/users/x%3Fy"), ("/admin/users/%C3%A9%23/?q=1", "/admin/users/%C3%A9%23?q=1")]
    {
        assert_eq!(app.get(path).send().expect_status(307).header("location"), Some(location));
    }
    for path in ["/healthz//", "/healthz///"] {
        assert_eq!(app.get(path).send().expect_status(307).header("location"), Some("/healthz"), "{path}");
    }
    let reply = app.get("/healthz/").header("host", "evil.example").send().expect_status(307);
    assert_eq!(reply.header("location"), Some("/healthz"));
}

#[test]
fn a_reply_to_a_form_names_the_type_to_send() {
    let app = TestApp::start();
    let body = "email=user@example.com&password=securepassword123";
    let send = |content_type| app.post("/auth/login").header("content-type", content_type).raw_body(body).send();
    let reply = send("application/x-www-form-urlencoded").expect_status(422);
    assert_eq!(reply.header("accept"), Some("application/json"));
    assert_eq!(reply.json()["detail"][0]["type"], "model_attributes_type");
    let reply = send("application/json").expect_status(422);
    assert_eq!(reply.header("accept"), None);
    assert_eq!(reply.json()["detail"][0]["type"], "json_invalid");
}

#[test]
fn a_body_that_is_not_json_is_422() {
    let app = TestApp::start();
    let send = |body: &str| app.post("/auth/login").header("content-type", "application/json").raw_body(body).send();
    for body in ["{", "{\"email\": }", "{'email': 1}", "not json", "{} {}"] {
        let reply = send(body).expect_status(422);
        let fault = &reply.json()["detail"][0];
        assert_eq!((&fault["type"], &fault["msg"]), (&json!("json_invalid"), &json!("JSON decode error")), "{body}");
        assert_eq!(fault["loc"][0], "body");
    }
    for body in ["", "null"] {
        send(body).expect(
            422,
            &json!({"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": null}]}),
        );
    }
    for body in ["[]", "5", "\"text\"", "true"] {
        assert_eq!(send(body).expect_status(422).json()["detail"][0]["type"], "model_attributes_type", "{body}");
    }
}

#[test]
fn a_body_of_another_content_type_is_422() {
    let app = TestApp::start();
    app.register("user@example.com");
    let body = json!({"email": "user@example.com", "password": PASSWORD}).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let reply = app.post("/auth/login").header("content-type", content_type).raw_body(body.as_str()).send();
        let reply = reply.expect_status(422);
        assert_eq!(reply.json()["detail"][0]["type"], "model_attributes_type", "{content_type}");
        assert!(!reply.text().contains(PASSWORD), "a password is never sent back");
    }
    for content_type in ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"] {
        app.post("/auth/login").header("content-type", content_type).raw_body(body.as_str()).send().expect_status(200);
    }
    app.post("/auth/login").raw_body(body.as_str()).send().expect_status(200);
}

#[test]
fn a_body_that_is_not_utf8_or_too_deep_is_400() {
    let app = TestApp::start();
    let send = |body: Vec<u8>| app.post("/auth/login").header("content-type", "application/json").raw_body(body).send();
    send(b"{\"email\": \"\xff\"}".to_vec()).expect_detail(400, "There was an error parsing the body");
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    send(deep.into_bytes()).expect_detail(400, "There was an error parsing the body");
}

#[test]
fn a_body_of_more_than_64_kib_is_413() {
    let app = TestApp::start();
    let body = |padding: usize| {
        let body = json!({"email": "user@example.com", "password": "x", "padding": "p"}).to_string();
        body.replace("\"p\"", &format!("\"{}\"", "p".repeat(padding - body.len() + 1)))
    };
    let send = |body: String| app.post("/auth/login").header("content-type", "application/json").raw_body(body).send();
    let (largest, larger) = (body(64 * 1024), body(64 * 1024 + 1));
    assert_eq!((largest.len(), larger.len()), (65536, 65537));
    send(largest).expect_status(401);
    send(larger).expect_detail(413, "Payload Too Large");
    send(body(2 * 1024 * 1024)).expect_detail(413, "Payload Too Large");
    app.get("/healthz").send().expect_status(200);
}

#[test]
fn a_database_error_is_logged_and_not_sent_to_the_client() {
    let app = TestApp::start();
    app.db().execute_all("DROP TABLE audit_logs; DROP TABLE sessions; DROP TABLE users");
    let reply = app.try_login("user@example.com", PASSWORD).expect_detail(500, "Internal Server Error");
    let id = reply.header("x-request-id").expect("an id").to_owned();
    app.get("/healthz").send().expect_status(200);
    // The log names the cause under the request id of the reply.
    let log = app.log();
    assert!(log.contains(&id) && log.contains("no such table: users"), "{log}");
}
