//! The OpenAPI document is consistent, and the server behaves as documented.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Document, PASSWORD, TestApp, conforms};

/// Visits every value in a JSON document.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        _ => {}
    }
}

#[test]
fn the_manifest_calls_exactly_the_requests_with_passwords_heavy() {
    let manifest = include_str!("../../spin.toml");
    let document = Document::of(&TestApp::start());
    for (method, path, operation) in document.operations() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let name = schema.as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let fields = document.0["components"]["schemas"][name]["properties"].as_object();
        let has_password = fields.is_some_and(|fields| fields.keys().any(|name| name.contains("password")));
        let request = format!("{method} {path}");
        assert_eq!(manifest.contains(&format!("\"{request}\"")), has_password, "{request}");
    }
}

#[test]
fn the_document_is_valid() {
    let document = Document::of(&TestApp::start());
    assert_eq!(
        (&document.0["openapi"], &document.0["info"]["version"]),
        (&json!("3.1.0"), &json!(env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(document.0["info"]["title"], "Lanterne Rouge API");
    assert_eq!(document.0["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    walk(&document.0, &mut |value| {
        if let Some(reference) = value["$ref"].as_str() {
            conforms::target(&document.0, reference);
        }
    });
    for (schema, about) in document.0["components"]["schemas"].as_object().expect("schemas") {
        assert!(about["description"].is_string(), "{schema}");
        for (field, about) in about["properties"].as_object().expect("fields") {
            assert!(about["description"].is_string(), "{schema}.{field}");
        }
    }
}

#[test]
fn every_operation_is_described_uniquely() {
    let document = Document::of(&TestApp::start());
    let tags: Vec<&Value> = document.0["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut seen = BTreeSet::new();
    for (method, path, operation) in document.operations() {
        for part in ["operationId", "summary", "description"] {
            let text = operation[part].as_str().unwrap_or_else(|| panic!("{method} {path} has no {part}"));
            assert!(seen.insert(text), "{method} {path}: {text:?} is said of another, too");
        }
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}: an unknown tag");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
        for (status, response) in responses {
            assert!(response["description"].is_string(), "{method} {path} {status}");
            let content = &response["content"]["application/json"];
            let examples = content["examples"].as_object().into_iter().flat_map(|examples| examples.values());
            for example in examples {
                let fault = conforms::fault(&document.0, &content["schema"], &example["value"]);
                assert_eq!(fault, None, "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn the_document_has_the_routes_of_the_server_and_the_readme() {
    let app = TestApp::with(&[("mail", "log")]);
    let document = Document::of(&app);
    let documented: BTreeSet<String> =
        document.operations().map(|(method, path, _)| format!("{method} {path}")).collect();
    for route in &documented {
        let (method, path) = route.split_once(' ').expect("method and path");
        let status = app.request(method, &path.replace("{id}", "1")).send().status();
        assert!(status != 404 && status != 405, "{route}: {status}");
    }
    let readme = include_str!("../../README.md").lines();
    let named = readme.filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(route, _)| route));
    let pages = ["GET /docs", "GET /redoc", "GET /openapi.json"];
    let routes = named.filter(|name| name.contains(" /") && !pages.contains(name)).map(str::to_owned);
    assert_eq!(routes.collect::<BTreeSet<_>>(), documented);
}

#[test]
fn replies_without_login_match_the_document() {
    let app = TestApp::start();
    let document = Document::of(&app);
    for path in ["/", "/healthz", "/.well-known/jwks.json"] {
        document.expect("GET", path, &app.get(path).send().expect_status(200));
    }
    document.expect("GET", "/readyz", &app.get("/readyz").send().expect_status(503));

    let register = |email: &str, status| {
        document.expect("POST", "/auth/register", &app.try_register(email).expect_status(status));
    };
    register("user@example.com", 201);
    register("user@example.com", 400);
    register("user@localhost", 422);
    for path in ["/auth/register", "/auth/login", "/auth/refresh"] {
        let bodies: [(u16, &[u8]); 7] = [
            (422, b""),
            (422, b"[]"),
            (422, b"{"),
            (422, b"{}"),
            (422, br#"{"email": [1], "password": "x", "refresh_token": {"a": "eyJhbGciOiJIUzI1NiJ9"}}"#),
            (400, b"\"\xff\""),
            (413, &[b' '; 65 * 1024]),
        ];
        for (status, body) in bodies {
            document.expect("POST", path, &app.post(path).raw_body(body).send().expect_status(status));
        }
    }

    let login = |email: &str, password: &str, status| {
        let reply = app.try_login(email, password).expect_status(status);
        document.expect("POST", "/auth/login", &reply);
        reply
    };
    let tokens = login("user@example.com", PASSWORD, 200);
    login("user@example.com", "wrong", 401);
    login("nobody@example.com", PASSWORD, 401);

    let refresh = |token: &str, status| {
        document.expect("POST", "/auth/refresh", &app.try_refresh(token).expect_status(status));
    };
    refresh(&tokens.field("refresh_token"), 200);
    refresh(&tokens.field("refresh_token"), 401);
    refresh(&tokens.field("access_token"), 401);
    refresh("nonsense", 401);

    let token = login("user@example.com", PASSWORD, 200).field("refresh_token");
    app.db().execute("UPDATE users SET is_active = 0", []);
    login("user@example.com", PASSWORD, 403);
    refresh(&token, 401);

    app.db().execute_all("DROP TABLE audit_logs; DROP TABLE sessions; DROP TABLE users");
    register("other@example.com", 500);
    login("user@example.com", PASSWORD, 500);
    refresh(&token, 500);
}

#[test]
fn replies_with_login_match_the_document() {
    let app = TestApp::start();
    let document = Document::of(&app);
    let (administrator, admin) = app.admin("admin@example.com");
    let (user, tokens) = app.logged_in("user@example.com");
    app.login(&user);
    let password_change = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    let send = |method: &str, path: &str, token: &str, body: Value, status| {
        let id = path.split('/').find(|piece| piece.parse::<i64>().is_ok() || *piece == "x").unwrap_or("-");
        let (route, _) = path.split_once('?').unwrap_or((path, ""));
        let route = route.replace(&format!("/{id}"), "/{id}");
        let reply = app.request(method, path).bearer(token).json(&body).send().expect_status(status);
        document.expect(method, &route, &reply);
    };
    let nothing = || json!({});
    for (method, path, body, status) in [
        ("GET", "/users/me", nothing(), 200),
        ("PATCH", "/users/me", json!({"email": "admin@example.com", "current_password": PASSWORD}), 400),
        ("PATCH", "/users/me", json!({"email": "new@example.com", "current_password": "wrong"}), 400),
        ("PATCH", "/users/me", nothing(), 422),
        ("PATCH", "/users/me", json!({"email": "new@example.com", "current_password": PASSWORD}), 200),
        ("POST", "/users/me/password", nothing(), 422),
        ("POST", "/users/me/password", json!({"current_password": "wrong", "new_password": PASSWORD}), 400),
        ("GET", "/users/me/sessions", nothing(), 200),
        ("DELETE", "/users/me/sessions/99", nothing(), 404),
        ("DELETE", "/users/me/sessions/x", nothing(), 422),
        ("DELETE", "/users/me/sessions/3", nothing(), 204),
        ("GET", "/admin/users", nothing(), 403),
        ("POST", "/users/me/password", json!({"current_password": PASSWORD, "new_password": PASSWORD}), 204),
        ("POST", "/users/me/password?rotate=perhaps", nothing(), 422),
        ("DELETE", "/users/me", json!({"current_password": "wrong"}), 400),
        ("POST", "/auth/logout", nothing(), 204),
        ("POST", "/auth/logout", nothing(), 401),
    ] {
        send(method, path, &tokens.access, body, status);
    }
    for (method, path, body, status) in [
        ("GET", "/admin/users?limit=1", nothing(), 200),
        ("GET", "/admin/users?limit=0", nothing(), 422),
        ("POST", "/admin/users", json!({"email": "made@example.com", "password": PASSWORD}), 201),
        ("POST", "/admin/users", json!({"email": "made@example.com", "password": PASSWORD}), 400),
        ("POST", "/admin/users", json!({"email": 1}), 422),
        ("GET", "/admin/users/3", nothing(), 200),
        ("GET", "/admin/users/99", nothing(), 404),
        ("GET", "/admin/users/x", nothing(), 422),
        ("PATCH", "/admin/users/3", json!({"is_active": false}), 200),
        ("PATCH", "/admin/users/3", json!({"is_active": 0}), 422),
        ("PATCH", "/admin/users/3", json!({"email": "admin@example.com"}), 400),
        ("PATCH", "/admin/users/1", json!({"is_admin": false}), 409),
        ("PATCH", "/admin/users/99", nothing(), 404),
        ("DELETE", "/admin/users/3/sessions", nothing(), 204),
        ("DELETE", "/admin/users/99/sessions", nothing(), 404),
        ("DELETE", "/admin/users/3", nothing(), 204),
        ("DELETE", "/admin/users/3", nothing(), 404),
        ("DELETE", "/admin/users/1", nothing(), 409),
        ("GET", "/admin/audit-logs?limit=5", nothing(), 200),
        ("GET", "/admin/audit-logs?since=x", nothing(), 422),
        ("DELETE", "/users/me", json!({"current_password": PASSWORD}), 409),
        ("POST", "/users/me/password?rotate=true", password_change, 200),
        ("GET", "/users/me", nothing(), 401),
    ] {
        send(method, path, &admin.access, body, status);
    }
    let admin = app.login(&administrator);
    for (method, path, body, status) in
        [("POST", "/auth/logout-all", nothing(), 204), ("POST", "/auth/logout-all", nothing(), 401)]
    {
        send(method, path, &admin.access, body, status);
    }
}
