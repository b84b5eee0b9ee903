//! Authorization: every documented route, requested with every kind of missing permission.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, SECRET, TestApp, Tokens, claims, mint};

/// The routes without authorization. Adding one here is a deliberate decision.
const PUBLIC: [&str; 11] = [
    "GET /",
    "GET /.well-known/jwks.json",
    "GET /healthz",
    "GET /readyz",
    "POST /auth/email/verification",
    "POST /auth/email/verify",
    "POST /auth/login",
    "POST /auth/password/forgot",
    "POST /auth/password/reset",
    "POST /auth/refresh",
    "POST /auth/register",
];

/// A documented route.
struct Route {
    method: String,
    path: String,
    is_admin: bool,
}

/// The API with all its routes.
fn start() -> TestApp {
    TestApp::with(&[("mail", "log")])
}

/// The documented routes that need an access token.
fn protected(app: &TestApp) -> Vec<Route> {
    let document = app.get("/openapi.json").send().json();
    let mut routes = Vec::new();
    let mut public = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let method = method.to_uppercase();
            if operation["security"].is_null() {
                public.push(format!("{method} {path}"));
                continue;
            }
            let refusals = operation["responses"]["403"]["content"]["application/json"]["examples"].to_string();
            let is_admin = refusals.contains("Admin privileges required");
            assert_eq!(is_admin, path.starts_with("/admin/"), "{method} {path}");
            // Refused requests do not depend on the id.
            routes.push(Route { method, path: path.replace("{id}", "1"), is_admin });
        }
    }
    public.sort();
    assert_eq!(public, PUBLIC);
    assert!(routes.len() >= 15, "{} routes", routes.len());
    routes
}

impl Route {
    fn send(&self, app: &TestApp, authorization: Option<&str>) -> Reply {
        let request = app.request(&self.method, &self.path);
        match authorization {
            Some(value) => request.header("authorization", value).send(),
            None => request.send(),
        }
    }

    /// Asserts a 401 with this `detail` and the challenge.
    #[track_caller]
    fn denies(&self, app: &TestApp, authorization: Option<&str>, detail: &str) {
        let reply = self.send(app, authorization).expect_detail(401, detail);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{} {}", self.method, self.path);
    }

    /// Asserts a 403 with this `detail`.
    #[track_caller]
    fn forbids(&self, app: &TestApp, token: &str, detail: &str) {
        self.send(app, Some(&format!("Bearer {token}"))).expect_detail(403, detail);
    }
}

/// Everything that a refused request could have changed.
fn state(app: &TestApp) -> Value {
    let db = app.db();
    json!([
        db.rows("SELECT * FROM users ORDER BY id", []),
        db.rows("SELECT id, user_id, is_valid, rotated_at FROM sessions ORDER BY id", []),
        db.rows("SELECT * FROM audit_logs ORDER BY id", [])
    ])
}

#[test]
fn a_missing_or_malformed_token_is_refused() {
    let app = start();
    let (_, tokens) = app.logged_in("user@example.com");
    let before = state(&app);
    for route in protected(&app) {
        for malformed in
            [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic dXNlcjpwYXNz"), Some(tokens.access.as_str())]
        {
            route.denies(&app, malformed, "Not authenticated");
        }
    }
    assert_eq!(state(&app), before);
}

#[test]
fn an_invalid_token_is_refused() {
    let app = start();
    let (_, tokens) = app.logged_in("user@example.com");
    let before = state(&app);
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let changed = |name: &str, value: Value| {
        let mut claims = claims(&tokens.access);
        claims[name] = value;
        mint(SECRET, &header, &claims)
    };
    let broken = [
        "garbage".to_owned(),
        format!("{}x", tokens.access),
        mint("another secret of more than thirty-two bytes", &header, claims(&tokens.access)),
        mint(SECRET, &json!({"alg": "none"}), claims(&tokens.access)),
        changed("exp", json!(1)),
        changed("sub", json!("one")),
        changed("jti", json!("")),
    ];
    for route in protected(&app) {
        for token in &broken {
            route.denies(&app, Some(&format!("Bearer {token}")), "Could not validate credentials");
        }
    }
    assert_eq!(state(&app), before);
}

#[test]
fn a_refresh_token_is_refused_as_access_token() {
    let app = start();
    let (_, tokens) = app.logged_in("user@example.com");
    for route in protected(&app) {
        route.denies(&app, Some(&format!("Bearer {}", tokens.refresh)), "Invalid token type");
    }
    app.refresh(&tokens.refresh);
}

#[test]
fn the_token_of_an_ended_session_is_refused() {
    let app = start();
    let (account, ended) = app.logged_in("user@example.com");
    app.post("/auth/logout").bearer(&ended.access).send().expect_status(204);
    let expired = app.login(&account);
    app.db().execute("UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000' WHERE is_valid = 1", []);
    // For a session that never existed: a valid signature is not enough.
    let mut claims = claims(&app.login(&account).access);
    claims["jti"] = json!("00000000-0000-4000-8000-000000000000");
    let unknown = mint(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), &claims);
    for route in protected(&app) {
        for token in [&ended.access, &expired.access, &unknown] {
            route.denies(&app, Some(&format!("Bearer {token}")), "Invalid or expired access token");
        }
    }
}

#[test]
fn the_token_of_a_deleted_account_is_refused() {
    let app = start();
    let (account, tokens) = app.logged_in("user@example.com");
    // As the Python server does, which keeps the sessions.
    app.db().execute("DELETE FROM users WHERE id = ?1", [account.id]);
    for route in protected(&app) {
        route.denies(&app, Some(&format!("Bearer {}", tokens.access)), "User not found");
    }
}

#[test]
fn an_inactive_account_is_refused() {
    let app = start();
    let (_, tokens) = app.admin("admin@example.com");
    app.db().execute("UPDATE users SET is_active = 0", []);
    let before = state(&app);
    for route in protected(&app) {
        route.forbids(&app, &tokens.access, "Account is inactive");
    }
    assert_eq!(state(&app), before);
}

#[test]
fn only_administrators_may_call_admin_routes() {
    let app = start();
    let (_, admin) = app.admin("admin@example.com");
    let (_, user) = app.logged_in("user@example.com");
    let accounts = || app.db().rows("SELECT * FROM users ORDER BY id", []);
    let before = accounts();
    for route in protected(&app).iter().filter(|route| route.is_admin) {
        route.forbids(&app, &user.access, "Admin privileges required");
    }
    assert_eq!(accounts(), before);
    // Refused changes are audited; refused reads are not.
    let refused = "Refused: Admin privileges required: user@example.com";
    let sql = "SELECT action, user_id, resource_id FROM audit_logs WHERE details = ?1 ORDER BY action";
    assert_eq!(
        app.db().rows(sql, [refused]),
        json!([
            ["session_revoke", 2, "1"],
            ["user_create", 2, null],
            ["user_delete", 2, "1"],
            ["user_password_reset", 2, "1"],
            ["user_update", 2, "1"]
        ])
    );
    // The flag is read for every request and is not in the token.
    app.get("/admin/users").bearer(&admin.access).send().expect_status(200);
    app.db().execute("UPDATE users SET is_admin = 0", []);
    app.get("/admin/users").bearer(&admin.access).send().expect_detail(403, "Admin privileges required");
}

#[test]
fn authentication_comes_before_validation() {
    let app = start();
    for (method, path) in [("PATCH", "/admin/users/seven"), ("DELETE", "/users/me/sessions/seven")] {
        app.request(method, path).json(&json!(["nonsense"])).send().expect_detail(401, "Not authenticated");
    }
    let (_, tokens) = app.logged_in("user@example.com");
    let reply = app.request("DELETE", "/users/me/sessions/seven").bearer(&tokens.access).send().expect_status(422);
    assert_eq!(reply.json()["detail"][0]["loc"], json!(["path", "id"]));
}

#[test]
fn the_bearer_scheme_is_case_insensitive() {
    let app = start();
    let (_, Tokens { access, .. }) = app.logged_in("user@example.com");
    for value in [format!("bearer {access}"), format!("BEARER  {access}")] {
        app.get("/users/me").header("authorization", &value).send().expect_status(200);
    }
}

#[test]
fn access_tokens_of_the_python_server_are_accepted() {
    let app = start();
    let account = app.register("user@example.com");
    let jti = "5c1d9e0e-9a32-4c5f-8a57-0d6f1b0f3a11";
    app.db().execute(
        "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         VALUES (?1, ?2, 'r', 1, '2026-01-31 12:00:00.000000', '2099-01-01 00:00:00.000000')",
        (account.id, jti),
    );
    let claims = json!({
        "sub": account.id.to_string(), "email": account.email, "exp": 4_070_908_800_i64, "type": "access", "jti": jti
    });
    let token = mint(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), &claims);
    app.get("/users/me").bearer(&token).send().expect_status(200);
    app.post("/auth/logout").bearer(&token).send().expect_status(204);
    app.get("/users/me").bearer(&token).send().expect_detail(401, "Invalid or expired access token");
    app.try_login(&account.email, PASSWORD).expect_status(200);
}
