//! `lanterne backup`, and helpers shared with the tests of `lanterne restore`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use serde_json::json;

use crate::support::{Database, Finished, Host, Project, TestApp};

pub(crate) const EMAILS: &str = "SELECT email FROM users ORDER BY id";
const CLIENTS: usize = 4;

/// Runs `lanterne backup` or `lanterne restore` in the project.
pub(crate) fn run(project: &Project, name: &str, words: &[&str]) -> Finished {
    let mut command = project.command(Host::Lanterne);
    command.arg(name).arg("--state-dir").arg(project.path("state")).args(words);
    Finished::of(command)
}

/// A project with a copy of the migrations and one account without a usable password.
pub(crate) fn project_with(email: &str) -> Project {
    let project = Project::migrated();
    copy_migrations(&project);
    insert(&project.db(), email);
    project
}

/// Copies the migrations into the project, as in a source tree.
pub(crate) fn copy_migrations(project: &Project) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("an entry");
        if entry.path().is_dir() {
            let to = project.path("migrations").join(entry.file_name());
            fs::create_dir_all(&to).expect("the folder can be written");
            for file in ["up.sql", "down.sql"] {
                fs::copy(entry.path().join(file), to.join(file)).expect("every migration has both");
            }
        }
    }
}

/// Inserts an account without a usable password.
pub(crate) fn insert(db: &Database, email: &str) {
    let row = "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
               VALUES (?1, 'x', 1, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')";
    db.execute(row, [email]);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn a_backup_contains_every_registration_acknowledged_before_it() {
    // Registers faster than one address may.
    let app = TestApp::with(&[("throttle", "off")]);
    let (is_done, copy) = (AtomicBool::new(false), app.project().path("copy.db"));
    let (sender, acknowledged) = mpsc::channel();
    let before: Vec<String> = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (sender, app, is_done) = (sender.clone(), &app, &is_done);
            scope.spawn(move || {
                for n in 0.. {
                    let email = format!("user{n}@client{client}.example.com");
                    app.try_register(&email).expect_status(201);
                    sender.send(email).expect("the test listens");
                    if is_done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        // Ends the channel if every client fails.
        drop(sender);
        let mut before: Vec<_> = acknowledged.iter().take(20).collect();
        before.extend(acknowledged.try_iter());
        let finished = run(app.project(), "backup", &["copy.db"]);
        is_done.store(true, Ordering::Relaxed);
        assert!(finished.succeeded().contains("copy.db, "));
        before
    });
    let after = app.db().value("SELECT count(*) FROM users", []);
    let db = Database::open(&copy);
    assert_eq!(db.value("PRAGMA integrity_check", []), "ok");
    assert_eq!(db.value("PRAGMA journal_mode", []), "delete");
    let emails = db.rows(EMAILS, []);
    let emails = emails.as_array().expect("rows");
    for email in &before {
        assert!(emails.contains(&json!([email])), "{email} is missing");
    }
    assert!(emails.len() <= after.as_u64().expect("a number") as usize);
    // Each account was committed together with its audit row.
    assert_eq!(db.value("SELECT count(*) FROM audit_logs WHERE action = 'register'", []), emails.len());
    assert_eq!(fs::metadata(copy).expect("it is there").permissions().mode() & 0o777, 0o600);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn backup_overwrites_nothing_without_force() {
    let project = Project::new().file("taken.db", "precious").file("open.db-wal", "a part of something");
    run(&project, "backup", &["copy.db"]).failed(1, &["there is no database", "sqlite_db.db"]);
    assert!(!project.path("state").exists());
    project.run("migrate", &["upgrade", "head"]).succeeded();
    for (words, status, fault) in [
        (&["taken.db"][..], 2, "taken.db is there already; --force replaces it"),
        (&["--force", "state/sqlite_db.db"], 2, "is the database itself"),
        (&["--force", "open.db"], 1, "open.db-wal is there"),
        (&["state"], 2, "is a directory"),
        (&["nowhere/copy.db"], 2, "there is no directory"),
        (&[], 2, "<FILE>"),
    ] {
        run(&project, "backup", words).failed(status, &[fault]);
    }
    assert_eq!(fs::read(project.path("taken.db")).expect("it is there"), b"precious");
    run(&project, "backup", &["--force", "taken.db"]).succeeded();
    assert_eq!(Database::open(&project.path("taken.db")).rows(EMAILS, []), json!([]));
    let hidden = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".lanterne");
    let mut entries = fs::read_dir(project.path(".")).expect("the folder is there");
    assert!(!entries.any(|entry| hidden(entry.expect("an entry"))), "something temporary is left");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn backup_and_restore_use_database_url() {
    let project = Project::new().environment("DATABASE_URL", "sqlite:///data/app.db");
    fs::create_dir(project.path("data")).expect("the folder can be written");
    project.run("migrate", &["upgrade", "head"]).succeeded();
    let there = project.path("data/app.db");
    insert(&Database::open(&there), "user@example.com");
    run(&project, "backup", &["copy.db"]).succeeded();
    Database::open(&there).execute_all("DELETE FROM users");
    run(&project, "restore", &["copy.db"]).succeeded();
    assert_eq!(Database::open(&there).rows(EMAILS, []), json!([["user@example.com"]]));
    assert!(!project.path("state/sqlite_db.db").exists());
}
