//! The command component `users`.

use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[test]
fn accounts_are_listed_changed_and_deleted() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    app.register("other@example.org");
    let users = |words: &[&str]| app.project().run("users", words);
    let listed = users(&["list", "example.com"]).succeeded();
    assert!(listed.starts_with("1\tuser@example.com\tactive, not verified\t20"), "{listed}");
    assert_eq!((listed.lines().count(), users(&["list"]).succeeded().lines().count()), (1, 2));
    let shown = users(&["show", "user@EXAMPLE.com"]).succeeded();
    assert!(shown.contains("address   user@example.com") && shown.contains("sessions  1"), "{shown}");

    assert_eq!(users(&["promote", "user@example.com"]).succeeded(), "user@example.com: now an administrator\n");
    app.get("/admin/users").bearer(&tokens.access).send().expect_status(200);
    assert_eq!(users(&["promote", "user@example.com"]).succeeded(), "user@example.com: already an administrator\n");
    for words in [["demote", "user@example.com"], ["deactivate", "user@example.com"], ["delete", "user@example.com"]] {
        users(&words).failed(1, &["users: user@example.com: Last active admin"]);
    }
    users(&["show", "nobody@example.com"]).failed(1, &["users: nobody@example.com: User not found"]);

    users(&["deactivate", "other@example.org"]).succeeded();
    app.try_login("other@example.org", PASSWORD).expect_status(403);
    users(&["activate", "other@example.org"]).succeeded();
    users(&["delete", "other@example.org"]).succeeded();
    app.try_login("other@example.org", PASSWORD).expect_status(401);
    let sql =
        "SELECT action, resource_id FROM audit_logs WHERE user_id IS NULL AND details LIKE '%by the command users%'";
    assert_eq!(
        app.db().rows(sql, []),
        json!([["user_update", "1"], ["user_update", "2"], ["user_update", "2"], ["user_delete", "2"]])
    );
}

#[test]
fn a_password_is_reset_with_a_printed_token() {
    let app = TestApp::start();
    app.register("user@example.com");
    let printed = app.project().run("users", &["reset-password", "user@example.com"]).succeeded();
    let token = printed.lines().last().expect("a token");
    let password = "another horse, another staple";
    let body = json!({"token": token, "new_password": password});
    app.post("/auth/password/reset").json(&body).send().expect_status(204);
    app.try_login("user@example.com", password).expect_status(200);
    app.post("/auth/password/reset").json(&body).send().expect_detail(400, "Invalid or expired token");
}
