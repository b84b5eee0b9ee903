//! The command component `seed`.

use std::fs::File;

use serde_json::json;

use crate::support::{Finished, Host, Project, TestApp};

fn seeded() -> TestApp {
    let project = Project::migrated();
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
    let project = Project::migrated();
    let first = project.run("seed", &[]).succeeded();
    assert!(first.contains("admin@lanterne-rouge.com: created"), "{first}");
    assert!(first.contains("tester@lanterne-rouge.com: created"), "{first}");
    let users = project.db().rows("SELECT * FROM users", []);
    let second = project.run("seed", &[]).succeeded();
    assert_eq!(second.matches(": already there").count(), 2, "{second}");
    assert_eq!(project.db().rows("SELECT * FROM users", []), users);
}

#[test]
fn seed_leaves_an_existing_user_unchanged() {
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

/// Runs `seed` for an administrator with the password in a file: on standard input, or in a variable on Spin.
fn seed_admin(project: &Project, email: &str, input: &str) -> Finished {
    let path = project.path("password.txt");
    std::fs::write(&path, input).expect("the folder can be written");
    let mut command = match Host::under_test() {
        Host::Lanterne => project.component("seed", &["--admin-email", email, "--admin-password-stdin"]),
        Host::Spin => project.component("seed", &["--admin-email", email]),
    };
    match Host::under_test() {
        Host::Lanterne => command.stdin(File::open(path).expect("it was written")),
        Host::Spin => command.env("SPIN_VARIABLE_SEED_ADMIN_PASSWORD", input),
    };
    project.finish("seed", command)
}

#[test]
fn seed_warns_that_the_documented_passwords_are_public() {
    let printed = Project::migrated().run("seed", &[]).succeeded();
    assert!(printed.contains("passwords of these accounts are public, for development only"), "{printed}");
    assert!(!printed.contains('\x1b'), "colors are for terminals: {printed:?}");
}

#[test]
fn seed_refuses_the_documented_users_in_production() {
    let project = Project::migrated().variable("lanterne_env", "production");
    project.run("seed", &[]).failed(1, &["seed: LANTERNE_ENV is \"production\"", "--admin-email"]);
    assert_eq!(project.db().value("SELECT count(*) FROM users", []), 0);
    seed_admin(&project, "root@example.com", "a real password").succeeded();
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin reads variables of the environment with its prefix only")]
fn seed_reads_lanterne_env_without_the_spin_prefix() {
    let project = Project::migrated().environment("LANTERNE_ENV", " Production");
    project.run("seed", &[]).failed(1, &["seed: LANTERNE_ENV is \"production\""]);
}

#[test]
fn seed_refuses_an_unknown_environment() {
    let project = Project::migrated().variable("lanterne_env", "produciton");
    for words in [&[] as &[&str], &["--admin-email=root@example.com"]] {
        let complaint = ["lanterne_env is \"produciton\"", "production or prod"];
        project.run("seed", words).failed(Host::under_test().usage_status(), &complaint);
    }
    assert_eq!(project.db().value("SELECT count(*) FROM users", []), 0);
}

#[test]
fn seed_reads_the_administrators_password_from_standard_input() {
    let project = Project::migrated();
    let printed = seed_admin(&project, "Root@EXAMPLE.com", "a real password\n").succeeded();
    assert!(printed.contains("Root@example.com: created") && !printed.contains("a real password"), "{printed}");
    let app = TestApp::of(project);
    app.try_login("Root@example.com", "a real password").expect_status(200);
    assert_eq!(app.db().rows("SELECT email, is_admin FROM users", []), json!([["Root@example.com", 1]]));
    let again = seed_admin(app.project(), "Root@example.com", "another password\n").succeeded();
    assert!(again.contains("already there"), "{again}");
    app.try_login("Root@example.com", "a real password").expect_status(200);
}

#[test]
fn seed_takes_the_administrators_password_from_a_variable() {
    let project = Project::migrated().file("password.txt", "a real password\n");
    let project = project.variable("seed_admin_password", "@password.txt");
    let printed = project.run("seed", &["--admin-email", "root@example.com"]).succeeded();
    assert!(printed.contains("root@example.com: created") && !printed.contains("password"), "{printed}");
    let project = project.variable("seed_admin_password", "secret7");
    let finished = project.run("seed", &["--admin-email", "admin@example.com"]);
    finished.failed(Host::under_test().usage_status(), &["seed: the password in seed_admin_password is refused"]);
    assert!(!finished.stderr.contains("secret7"), "{finished:#?}");
    TestApp::of(project).try_login("root@example.com", "a real password").expect_status(200);
}

#[test]
#[cfg_attr(not(spin_host), ignore = "lanterne always prints a generated password: its output is the user's own")]
fn seed_does_not_print_a_password_that_spin_would_keep() {
    let project = Project::migrated();
    let finished = project.run("seed", &["--admin-email=root@example.com"]);
    finished.failed(1, &["seed: there is no password for the administrator", "SPIN_VARIABLE_SEED_ADMIN_PASSWORD"]);
    assert_eq!(project.db().value("SELECT count(*) FROM users", []), 0);
}

#[test]
fn seed_generates_a_password_and_prints_it_once() {
    let project = Project::migrated();
    let words = match Host::under_test() {
        Host::Lanterne => &["--admin-email=root@example.com"][..],
        Host::Spin => &["--admin-email=root@example.com", "--print-password"],
    };
    let printed = project.run("seed", words).succeeded();
    let password = printed.split("shown this once: ").nth(1).expect("a password").trim();
    assert!(password.len() == 24 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{password}");
    let again = project.run("seed", words).succeeded();
    assert!(!again.contains("shown this once"), "{again}");
    let app = TestApp::of(project);
    app.try_login("root@example.com", password).expect_status(200);
}

#[test]
fn seed_applies_the_rules_of_registration() {
    let project = Project::migrated();
    let usage = Host::under_test().usage_status();
    for (email, password, status, complaint) in [
        ("root@", "a real password", usage, "There must be something after the @-sign."),
        ("root@example.com", "secret7", usage, "a password has at least 8 characters"),
        ("root@example.com", "", usage, "there is no password"),
        ("root@example.com", "two lines\nare no password", usage, "should be one line"),
    ] {
        let finished = seed_admin(&project, email, password);
        finished.failed(status, &["seed: ", complaint]);
        assert!(password.is_empty() || !finished.stderr.contains(password), "{finished:#?}");
    }
    assert_eq!(project.db().value("SELECT count(*) FROM users", []), 0);
    project.run("seed", &[]).succeeded();
    let tester = seed_admin(&project, "tester@lanterne-rouge.com", "a real password");
    tester.failed(1, &["is already there, but is no administrator"]);
}

#[test]
fn seed_without_tables_refers_to_migrate() {
    let project = Project::new();
    project.run("seed", &[]).failed(1, &["seed: the database has no table users", "migrate upgrade head"]);
}

#[test]
fn seed_refuses_a_cost_out_of_range() {
    let project = Project::migrated().variable("bcrypt_cost", "9");
    project.run("seed", &[]).failed(Host::under_test().usage_status(), &["seed: bcrypt_cost is \"9\""]);
}

#[test]
#[cfg_attr(spin_host, ignore = "`spin up` has no --seed")]
fn up_with_seed_creates_the_documented_users_once() {
    let app = TestApp::of(Project::new().flag("--seed"));
    app.try_login("tester@lanterne-rouge.com", "tester_password_123").expect_status(200);
    let app = app.restart_with(&[]);
    assert_eq!(app.db().value("SELECT count(*) FROM users", []), 2);
}
