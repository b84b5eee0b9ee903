//! The command component `seed`.

use serde_json::json;

use crate::support::{Project, TestApp, only_on_lanterne};

fn seeded() -> TestApp {
    let project = Project::new();
    project.run("migrate", &["upgrade", "head"]).succeeded();
    project.run("seed", &[]).succeeded();
    TestApp::of(project)
}

#[test]
fn seed_creates_the_two_documented_users() {
    let app = seeded();
    assert_eq!(
        app.db().rows("SELECT email, is_active, is_admin FROM users ORDER BY id", []),
        json!([["admin@lanterne-rouge.com", 1, 1], ["tester@lanterne-rouge.com", 1, 0]])
    );
    assert_eq!(app.db().value("SELECT count(*) FROM users WHERE hashed_password LIKE '$2b$10$%'", []), 2);
}

#[test]
fn login_of_seeded_users() {
    let app = seeded();
    app.try_login("admin@lanterne-rouge.com", "admin_password_123").expect_status(200);
    app.try_login("tester@lanterne-rouge.com", "tester_password_123").expect_status(200);
    app.try_login("tester@lanterne-rouge.com", "admin_password_123").expect_status(401);
}

#[test]
fn seed_twice_changes_nothing() {
    let project = Project::new();
    project.run("migrate", &["upgrade", "head"]).succeeded();
    let first = project.run("seed", &[]).succeeded();
    assert!(first.contains("admin@lanterne-rouge.com: created"), "{first}");
    assert!(first.contains("tester@lanterne-rouge.com: created"), "{first}");
    let users = project.db().rows("SELECT * FROM users", []);
    let second = project.run("seed", &[]).succeeded();
    assert_eq!(second.matches(": already there").count(), 2, "{second}");
    assert_eq!(project.db().rows("SELECT * FROM users", []), users);
}

#[test]
fn seed_leaves_an_existing_user_as_it_is() {
    let app = seeded();
    let db = app.db();
    db.execute("UPDATE users SET is_active = 0, is_admin = 0, hashed_password = 'changed' WHERE id = 1", []);
    db.execute("DELETE FROM users WHERE id = 2", []);
    let printed = app.project().run("seed", &[]).succeeded();
    assert!(printed.contains("admin@lanterne-rouge.com: already there"), "{printed}");
    assert!(printed.contains("tester@lanterne-rouge.com: created"), "{printed}");
    assert_eq!(
        db.rows("SELECT is_active, is_admin, hashed_password FROM users WHERE id = 1", []),
        json!([[0, 0, "changed"]])
    );
}

#[test]
fn seed_without_tables_says_what_to_run() {
    let project = Project::new();
    project.run("seed", &[]).failed(1, &["seed: the database has no table users", "migrate upgrade head"]);
}

#[test]
fn seed_refuses_a_cost_out_of_bounds() {
    let project = Project::new().variable("bcrypt_cost", "9");
    project.run("migrate", &["upgrade", "head"]);
    let finished = project.run("seed", &[]);
    assert_ne!(finished.status, Some(0), "{finished:#?}");
    assert!(finished.stderr.contains("bcrypt_cost is \"9\""), "{finished:#?}");
}

#[test]
fn up_with_seed_serves_the_seeded_users() {
    if !only_on_lanterne("`spin up` has no --seed") {
        return;
    }
    let app = TestApp::of(Project::new().flag("--seed"));
    app.try_login("tester@lanterne-rouge.com", "tester_password_123").expect_status(200);
    let app = app.restart_with(&[]);
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 2);
}
