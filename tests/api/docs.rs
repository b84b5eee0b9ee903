//! The documentation pages: complete, cached, and without requests to other hosts. `tests/browser.rs` opens them.

use std::io::Read as _;

use flate2::read::GzDecoder;

use serde_json::Value;

use crate::support::{Document, Reply, TestApp};

const PAGES: [(&str, &str); 3] = [
    ("/docs", "text/html; charset=utf-8"),
    ("/redoc", "text/html; charset=utf-8"),
    ("/openapi.json", "application/json"),
];

/// The paths of the files that a page requests.
fn assets(page: &Reply) -> Vec<String> {
    let text = page.text();
    let quoted = text.split(['"']).skip(1).step_by(2);
    quoted.filter(|value| value.starts_with("/docs/assets/")).map(str::to_owned).collect()
}

fn all_assets(app: &TestApp) -> Vec<String> {
    let mut all: Vec<_> = PAGES[..2].iter().flat_map(|(path, _)| assets(&app.get(path).send())).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn pages_are_served_and_revalidated() {
    let app = TestApp::start();
    for (path, content_type) in PAGES {
        let page = app.get(path).send().expect_status(200);
        assert_eq!(page.header("content-type"), Some(content_type), "{path}");
        assert_eq!(page.header("cache-control"), Some("no-cache"), "{path}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(page.text().contains("Lanterne Rouge API"), "{path}");

        let etag = page.header("etag").expect("a version");
        for known in [etag.to_owned(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let reply = app.get(path).header("if-none-match", &known).send().expect_status(304);
            assert_eq!((reply.text().as_str(), reply.header("etag")), ("", Some(etag)), "{path} {known}");
        }
        app.get(path).header("if-none-match", "\"other\"").send().expect_status(200);
    }
}

#[test]
fn pages_accept_only_get_and_head() {
    let app = TestApp::start();
    let assets = all_assets(&app);
    for path in PAGES.map(|(path, _)| path).into_iter().chain(assets.iter().map(String::as_str)) {
        let (get, head) = (app.get(path).send(), app.request("HEAD", path).send().expect_status(200));
        for name in ["content-type", "etag", "cache-control", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        assert_eq!(head.text(), "", "{path}");
        let refused = app.post(path).send().expect_detail(405, "Method Not Allowed");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{path}");
    }
}

#[test]
fn assets_are_cached_forever() {
    let app = TestApp::start();
    let assets = all_assets(&app);
    assert_eq!(assets.len(), 7, "{assets:?}");
    for path in &assets {
        let plain = app.get(path).send().expect_status(200);
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}: nobody asked");
        let etag = plain.header("etag").expect("a version");
        app.get(path).header("if-none-match", etag).send().expect_status(304);
        // The path of another version is a 404.
        let stale = format!("/docs/assets/0000000000000000/{}", path.rsplit('/').next().unwrap_or_default());
        app.get(&stale).send().expect_detail(404, "Not Found");
    }
    app.get(&assets[0].replace("docs.css", "nothing.css")).send().expect_detail(404, "Not Found");
}

#[test]
fn assets_are_compressed_for_clients_that_accept_gzip() {
    let app = TestApp::start();
    let path = all_assets(&app).into_iter().find(|path| path.ends_with("bundle.js")).expect("Swagger UI");
    let plain = app.get(&path).send();
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    for accepted in ["gzip", "br;q=1.0, GZIP;q=0.5", "*", "deflate, x-gzip"] {
        let reply = app.get(&path).header("accept-encoding", accepted).send().expect_status(200);
        assert_eq!(reply.header("content-encoding"), Some("gzip"), "{accepted}");
        assert_ne!(reply.header("etag"), plain.header("etag"));
        assert!(reply.bytes().len() * 3 < plain.bytes().len());
        let mut inflated = Vec::new();
        GzDecoder::new(reply.bytes()).read_to_end(&mut inflated).expect("it is gzip");
        assert!(inflated == plain.bytes(), "{accepted}: not the same file");
    }
    for accepted in ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, *"] {
        let reply = app.get(&path).header("accept-encoding", accepted).send();
        assert_eq!(reply.header("content-encoding"), None, "{accepted:?}");
    }
}

#[test]
fn pages_load_nothing_from_other_hosts() {
    let app = TestApp::start();
    for path in ["/docs", "/redoc"] {
        let page = app.get(path).send();
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("http"), "{policy}");
        let scripts = policy.split("; ").find(|rule| rule.starts_with("script-src"));
        assert_eq!(scripts.unwrap_or("none"), if path == "/docs" { "script-src 'self'" } else { "none" });
        let html = page.text();
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("javascript:"), "{path}");
        assert!(
            html.split("<script").skip(1).all(|script| script.contains("></script>")),
            "{path}: a script in the page"
        );
        // The hosts in the examples are text, never links.
        for attribute in ["src=", "href=", "action="] {
            assert!(
                !html.contains(&format!("{attribute}\"http")) && !html.contains(&format!("{attribute}\"//")),
                "{path}"
            );
        }
        let html = html.replace("http://127.0.0.1", "").replace("https://app.example.org", "");
        assert!(!html.contains("http"), "{path}");
    }
    for path in all_assets(&app) {
        let text = app.get(&path).send().text();
        if path.ends_with(".css") {
            assert!(!text.contains("@import") && !text.contains("url(http") && !text.contains("url(//"), "{path}");
        }
        if ["docs.js", "page.css", "docs.css", "reference.css"].iter().any(|name| path.ends_with(&format!("/{name}"))) {
            assert!(!text.contains("://"), "{path}");
        }
    }
}

#[test]
fn the_reference_shows_routes_fields_and_errors() {
    let app = TestApp::start();
    let html = app.get("/redoc").send().text();
    for text in [
        "Register an account",
        "/auth/register",
        "8 to 100 characters",
        "Email already registered",
        "Account is inactive",
        "Needs an access token of an administrator.",
        "curl http://127.0.0.1/admin/users/1/sessions \\\n  -X DELETE \\\n  -H &quot;Authorization: Bearer $ACCESS_TOKEN&quot;",
        // The members of list items.
        "Stays the same through all refreshes.",
        "The account that acted,",
        "curl http://127.0.0.1/auth/login",
        "&quot;email&quot;: &quot;user@example.com&quot;",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn examples_have_the_requested_address() {
    let proxied = TestApp::with(&[("client_ip_header", "x-forwarded-for")]);
    let direct = TestApp::start();
    for (app, uri, headers, address) in [
        (&direct, "http://api.example.org:8080/redoc", None, "http://api.example.org:8080"),
        (&direct, "https://api.example.org/redoc", None, "https://api.example.org"),
        (&direct, "http://[2001:db8::1]/redoc", None, "http://[2001:db8::1]"),
        (&direct, "/redoc", Some(("host", "api.example.org")), "http://api.example.org"),
        // What nobody can copy to a shell, or what is missing, is not shown.
        (&direct, "/redoc", Some(("host", "a;reboot;.example.org")), "http://127.0.0.1:8000"),
        (&direct, "/redoc", Some(("host", "a'b<i>")), "http://127.0.0.1:8000"),
        (&direct, "http://user@api.example.org/redoc", None, "http://127.0.0.1:8000"),
        (&direct, "/redoc", None, "http://127.0.0.1:8000"),
        // Only a proxy can tell the scheme.
        (&direct, "http://a.example/redoc", Some(("x-forwarded-proto", "https")), "http://a.example"),
        (&proxied, "http://a.example/redoc", Some(("x-forwarded-proto", "https")), "https://a.example"),
        (&proxied, "http://a.example/redoc", Some(("x-forwarded-proto", "http, HTTPS")), "https://a.example"),
        (&proxied, "http://a.example/redoc", Some(("x-forwarded-proto", "javascript")), "http://a.example"),
        (&proxied, "http://a.example/redoc", None, "http://a.example"),
    ] {
        let request = app.request_uri("GET", uri);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let html = request.send().expect_status(200).text();
        let found = html.matches("curl http").count();
        assert_eq!(html.matches(&format!("curl {address}/")).count(), found, "{uri} {headers:?}");
        assert!(found > 20 && html.contains(&format!("<code>{address}</code>")), "{uri} {headers:?}");
    }
    let etag = |uri: &str| direct.request_uri("GET", uri).send().header("etag").expect("a version").to_owned();
    assert_ne!(etag("http://a.example/redoc"), etag("http://b.example/redoc"));
}

#[test]
fn the_server_of_the_document_is_its_own() {
    let document = TestApp::start().get("/openapi.json").send().json();
    assert_eq!(document["servers"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["servers"][0]["url"], "/");
}

/// The configurations of messages, and what the steps to a new password say about the token.
const MAIL: [(&[(&str, &str)], &str); 3] = [
    (&[("mail", "off"), ("registration", "closed")], "/admin/users/{id}/password-reset"),
    (&[("mail", "log")], "in the log"),
    (
        &[
            ("mail", "webhook"),
            ("mail_webhook_url", "http://127.0.0.1:1"),
            ("mail_webhook_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ],
        "goes to your app",
    ),
];

#[test]
fn the_steps_lead_to_operations_of_the_configuration() {
    for (variables, step) in MAIL {
        let app = TestApp::with(variables);
        let html = app.get("/docs").send().expect_status(200).text();
        assert!(html.contains(step), "{variables:?}");
        let is_closed = variables.contains(&("registration", "closed"));
        assert_eq!(html.contains("Registration is closed"), is_closed, "{variables:?}");
        let document = Document::of(&app);
        let operations: Vec<String> = document
            .operations()
            .map(|(_, _, operation)| {
                format!("#/{}/{}", as_text(&operation["tags"][0]), as_text(&operation["operationId"]))
            })
            .collect();
        let links: Vec<&str> = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let steps: Vec<&&str> = links.iter().filter(|link| link.starts_with("#/")).collect();
        assert_eq!(steps.len(), 5, "{variables:?}: {steps:?}");
        for link in steps {
            assert!(operations.iter().any(|operation| operation == link), "{variables:?}: {link}");
        }
    }
}

#[test]
fn the_document_has_only_the_routes_of_the_configuration() {
    let sending = ["/auth/password/forgot", "/auth/email/verification", "/users/me/email/verification"];
    for (variables, _) in MAIL {
        let app = TestApp::with(variables);
        let document = Document::of(&app).0;
        for path in sending {
            let is_described = !document["paths"][path].is_null();
            let exists = app.post(path).send().status() != 404;
            assert_eq!(
                (is_described, exists),
                (variables[0].1 != "off", variables[0].1 != "off"),
                "{variables:?} {path}"
            );
        }
        let about = as_text(&document["info"]["description"]);
        assert_eq!(about.contains("`POST /auth/password/forgot`"), variables[0].1 != "off", "{about}");
    }
}

fn as_text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn pages_have_cors_headers() {
    let app = TestApp::start();
    for (path, _) in PAGES {
        let reply = app.get(path).header("origin", "http://localhost:3000").send();
        assert_eq!(reply.header("access-control-allow-origin"), Some("http://localhost:3000"), "{path}");
    }
}

#[test]
fn docs_off_removes_all_pages() {
    let assets = all_assets(&TestApp::start());
    let app = TestApp::with(&[("docs", "off")]);
    let pages = ["/docs", "/docs/", "/redoc", "/redoc/", "/openapi.json"].map(str::to_owned);
    for path in pages.iter().chain(&assets) {
        app.get(path).send().expect_detail(404, "Not Found");
        app.post(path).send().expect_detail(404, "Not Found");
        app.request("HEAD", path).send().expect_status(404);
    }
    app.get("/healthz").send().expect_status(200);
}
