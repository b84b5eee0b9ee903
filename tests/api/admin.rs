//! `/admin/users`.

use serde_json::{Value, json};

use crate::support::{Account, PASSWORD, Reply, TestApp, Tokens};

/// An app with an administrator and a user, both logged in.
pub(crate) struct Scene {
    pub(crate) app: TestApp,
    admin: Account,
    by_admin: Tokens,
    user: Account,
    by_user: Tokens,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let app = TestApp::start();
        let (admin, by_admin) = app.admin("admin@example.com");
        let (user, by_user) = app.logged_in("user@example.com");
        Self { app, admin, by_admin, user, by_user }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.app.get(path).bearer(&self.by_admin.access).send()
    }

    fn create(&self, body: &Value) -> Reply {
        self.app.post("/admin/users").bearer(&self.by_admin.access).json(body).send()
    }

    fn update(&self, id: i64, body: &Value) -> Reply {
        self.app.request("PATCH", &format!("/admin/users/{id}")).bearer(&self.by_admin.access).json(body).send()
    }

    fn delete(&self, path: &str) -> Reply {
        self.app.request("DELETE", path).bearer(&self.by_admin.access).send()
    }

    fn user_path(&self) -> String {
        format!("/admin/users/{}", self.user.id)
    }

    /// The actor, resource and details of the audit rows.
    fn audit(&self, action: &str) -> Value {
        let sql = "SELECT user_id, resource_id, details FROM audit_logs WHERE action = ?1 ORDER BY id";
        self.app.db().rows(sql, [action])
    }

    #[track_caller]
    fn user_is_logged_out(&self) {
        let reply = self.app.get("/users/me").bearer(&self.by_user.access).send();
        reply.expect_detail(401, "Invalid or expired access token");
        self.app.try_refresh(&self.by_user.refresh).expect_detail(401, "Invalid or expired refresh token");
    }
}

#[test]
fn an_administrator_can_show_any_account() {
    let scene = Scene::new();
    let shown = scene.get(&scene.user_path()).expect_status(200);
    let own = scene.app.get("/users/me").bearer(&scene.by_user.access).send();
    assert_eq!(shown.json(), own.json());
    for id in ["0", "-1", "99", "99999999999999999999"] {
        scene.get(&format!("/admin/users/{id}")).expect_detail(404, "User not found");
    }
    for id in ["seven", "7.0", "%20", "1e3"] {
        let reply = scene.get(&format!("/admin/users/{id}")).expect_status(422);
        let fault = &reply.json()["detail"][0];
        assert_eq!((&fault["type"], &fault["loc"]), (&json!("int_parsing"), &json!(["path", "id"])));
    }
}

#[test]
fn an_administrator_can_create_active_and_admin_accounts() {
    let scene = Scene::new();
    let plain = scene.create(&json!({"email": "plain@example.com", "password": PASSWORD})).expect_status(201).json();
    assert_eq!((&plain["is_active"], &plain["is_admin"]), (&json!(true), &json!(false)));
    let body = json!({"email": "boss@example.com", "password": PASSWORD, "is_admin": true, "is_active": false});
    let boss = scene.create(&body).expect_status(201).json();
    assert_eq!((&boss["is_active"], &boss["is_admin"]), (&json!(false), &json!(true)));
    scene.app.try_login("plain@example.com", PASSWORD).expect_status(200);
    scene.app.try_login("boss@example.com", PASSWORD).expect_detail(403, "Account is inactive");
    scene.create(&body).expect_detail(400, "Email already registered");
    let admin = scene.admin.id;
    assert_eq!(
        scene.audit("user_create"),
        json!([
            [admin, plain["id"].to_string(), "User created: plain@example.com, active: true, admin: false"],
            [admin, boss["id"].to_string(), "User created: boss@example.com, active: false, admin: true"],
            [admin, null, "Refused: Email already registered: boss@example.com"]
        ])
    );
}

#[test]
fn a_new_account_is_validated_as_in_registration() {
    let scene = Scene::new();
    let reply = scene.create(&json!({"email": "nobody", "password": "short", "is_admin": "yes"})).expect_status(422);
    let faults = reply.json()["detail"].as_array().expect("a list").clone();
    let kinds: Vec<&Value> = faults.iter().map(|fault| &fault["type"]).collect();
    assert_eq!(kinds, ["value_error", "string_too_short", "bool_type"]);
    assert!(!reply.text().contains("\"short\""), "{reply}");
}

#[test]
fn deactivation_ends_all_sessions_at_once() {
    let scene = Scene::new();
    let changed = scene.update(scene.user.id, &json!({"is_active": false})).expect_status(200).json();
    assert_eq!((&changed["is_active"], &changed["email"]), (&json!(false), &json!("user@example.com")));
    scene.user_is_logged_out();
    scene.app.try_login(&scene.user.email, PASSWORD).expect_detail(403, "Account is inactive");
    scene.update(scene.user.id, &json!({"is_active": true})).expect_status(200);
    scene.user_is_logged_out();
    scene.app.login(&scene.user);
    let (admin, user) = (scene.admin.id, scene.user.id.to_string());
    assert_eq!(
        scene.audit("user_update"),
        json!([
            [admin, user, "User updated: user@example.com, active: false"],
            [admin, user, "User updated: user@example.com, active: true"]
        ])
    );
}

#[test]
fn changed_rights_apply_from_the_next_request() {
    let scene = Scene::new();
    let visit = || scene.app.get("/admin/users").bearer(&scene.by_user.access).send();
    visit().expect_status(403);
    scene.update(scene.user.id, &json!({"is_admin": true})).expect_status(200);
    visit().expect_status(200);
    scene.update(scene.user.id, &json!({"is_admin": false})).expect_status(200);
    visit().expect_detail(403, "Admin privileges required");
}

#[test]
fn fields_left_out_or_null_are_unchanged() {
    let scene = Scene::new();
    let before = scene.get(&scene.user_path()).json();
    let forbidden = json!({"id": 99, "hashed_password": "x", "created_at": "2000-01-01T00:00:00Z", "is_active": null});
    for body in [json!({}), json!({"is_admin": null, "email": null}), forbidden] {
        assert_eq!(scene.update(scene.user.id, &body).expect_status(200).json(), before);
    }
    scene.app.login(&scene.user);
    let changed = scene.update(scene.user.id, &json!({"email": "new@EXAMPLE.com"})).expect_status(200).json();
    assert_eq!((&changed["email"], &changed["is_active"]), (&json!("new@example.com"), &before["is_active"]));
    scene.update(scene.user.id, &json!({"email": "admin@example.com"})).expect_detail(400, "Email already registered");
    scene.update(scene.user.id, &json!({"email": "nobody"})).expect_status(422);
    scene.update(99, &json!({"is_admin": true})).expect_detail(404, "User not found");
    let last = json!([scene.admin.id, "99", "Refused: User not found: user 99"]);
    assert_eq!(scene.audit("user_update").as_array().and_then(|rows| rows.last()), Some(&last));
}

#[test]
fn deleting_an_account_keeps_its_audit_rows() {
    let scene = Scene::new();
    scene.delete(&scene.user_path()).expect_status(204);
    scene.delete(&scene.user_path()).expect_detail(404, "User not found");
    scene.app.get("/users/me").bearer(&scene.by_user.access).send().expect_detail(401, "User not found");
    scene.app.try_refresh(&scene.by_user.refresh).expect_status(401);
    let (admin, user) = (scene.admin.id, scene.user.id.to_string());
    assert_eq!(
        scene.audit("user_delete"),
        json!([[admin, user, "User deleted: user@example.com"], [admin, user, "Refused: User not found: user 2"]])
    );
    let did = scene.get(&format!("/admin/audit-logs?user_id={user}")).json();
    let actions: Vec<&Value> = did["items"].as_array().expect("a list").iter().map(|item| &item["action"]).collect();
    assert_eq!(actions, ["refresh", "login", "register"]);
    assert!(scene.app.register("next@example.com").id > scene.user.id);
}

#[test]
fn an_administrator_can_end_all_sessions_of_an_account() {
    let scene = Scene::new();
    scene.app.login(&scene.user);
    let path = format!("{}/sessions", scene.user_path());
    scene.delete(&path).expect_status(204);
    scene.user_is_logged_out();
    scene.delete(&path).expect_status(204);
    scene.delete("/admin/users/99/sessions").expect_detail(404, "User not found");
    let words = |count: u8| format!("All sessions of user 2 ended ({count}): user@example.com");
    assert_eq!(
        scene.audit("session_revoke"),
        json!([
            [scene.admin.id, "2", words(2)],
            [scene.admin.id, "2", words(0)],
            [scene.admin.id, "99", "Refused: User not found: user 99"]
        ])
    );
}

#[test]
fn the_last_active_administrator_cannot_be_removed() {
    let scene = Scene::new();
    let id = scene.admin.id;
    let path = format!("/admin/users/{id}");
    // An inactive administrator does not count.
    scene
        .create(&json!({"email": "off@example.com", "password": PASSWORD, "is_admin": true, "is_active": false}))
        .expect_status(201);
    for body in [json!({"is_admin": false}), json!({"is_active": false})] {
        scene.update(id, &body).expect_detail(409, "Last active admin");
    }
    scene.delete(&path).expect_detail(409, "Last active admin");
    scene.update(id, &json!({"is_admin": true, "is_active": true})).expect_status(200);
    let refused = json!([id, id.to_string(), format!("Refused: Last active admin: user {id}")]);
    assert_eq!(scene.audit("user_delete"), json!([refused]));

    scene.update(scene.user.id, &json!({"is_admin": true})).expect_status(200);
    scene.update(id, &json!({"is_admin": false})).expect_status(200);
    scene.get("/admin/users").expect_detail(403, "Admin privileges required");
}

#[test]
fn an_account_that_other_data_refers_to_is_not_deleted() {
    let scene = Scene::new();
    scene.app.db().execute_all("CREATE TABLE notes (user_id INTEGER REFERENCES users (id))");
    scene.app.db().execute("INSERT INTO notes VALUES (?1)", [scene.user.id]);
    let path = format!("/admin/users/{}", scene.user.id);
    let delete = || scene.app.request("DELETE", &path).bearer(&scene.by_admin.access).send();
    delete().expect_detail(409, "User is still referenced");
    let details = format!("Refused: User is still referenced: user {}", scene.user.id);
    let rows = scene.app.db().rows("SELECT details FROM audit_logs WHERE action = 'user_delete'", []);
    assert_eq!(rows, json!([[details]]));
    scene.app.db().execute("DELETE FROM notes", []);
    delete().expect_status(204);
}
