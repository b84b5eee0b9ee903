//! `lanterne restore`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::adoption::{EMAIL, OLD_PASSWORD, python_database};
use crate::backup::{EMAILS, copy_migrations, insert, project_with, run};
use crate::support::{Database, PASSWORD, Project, TestApp};

/// The names and contents of the files in the state directory.
fn files(project: &Project) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries =
        fs::read_dir(project.path("state")).expect("the folder is there").map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.path(), fs::read(entry.path()).expect("a file"))).collect()
}

/// The replaced databases that restores have kept.
fn kept(project: &Project) -> Vec<PathBuf> {
    let is_kept = |path: &PathBuf| path.to_string_lossy().contains("sqlite_db.db.before-restore-2");
    files(project).into_keys().filter(is_kept).collect()
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn restore_replaces_the_database_and_keeps_the_old_one() {
    let app = TestApp::start();
    copy_migrations(app.project());
    let early = app.register("early@example.com");
    // A table of somebody else.
    app.db().execute_all("CREATE TABLE notes (id INTEGER); INSERT INTO notes VALUES (1), (2), (3)");
    let rows =
        "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM audit_logs)
                + (SELECT count(*) FROM throttle) + (SELECT count(*) FROM schema_migrations) + 3";
    let (tables, rows) = (
        app.db().value("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'", []),
        app.db().value(rows, []),
    );
    run(app.project(), "backup", &["copy.db"]).succeeded();
    app.register("late@example.com");
    let project = app.into_project();

    let printed = run(&project, "restore", &["copy.db"]).succeeded();
    assert!(printed.contains("at migration 0"), "{printed}");
    assert!(printed.contains(&format!(": {tables} tables with {rows} rows")), "{printed}");
    assert_eq!(project.db().value("SELECT count(*) FROM notes", []), 3);
    let kept = kept(&project);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(printed.contains(&kept[0].display().to_string()), "{printed}");
    assert_eq!(Database::open(&kept[0]).rows(EMAILS, []), json!([["early@example.com"], ["late@example.com"]]));

    let app = TestApp::of(project);
    assert_eq!(app.db().value("PRAGMA journal_mode", []), "wal");
    app.login(&early);
    app.try_login("late@example.com", PASSWORD).expect_detail(401, "Incorrect email or password");
    app.register("late@example.com");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn restore_refuses_while_a_server_runs() {
    let app = TestApp::start();
    run(app.project(), "backup", &["empty.db"]).succeeded();
    // No request has opened the database yet.
    run(app.project(), "restore", &["empty.db"]).failed(1, &["sqlite_db.db is open in another program", "stop it"]);
    app.register("user@example.com");
    run(app.project(), "restore", &["empty.db"]).failed(1, &["sqlite_db.db is open in another program", "stop it"]);
    assert!(kept(app.project()).is_empty());
    assert_eq!(app.db().value("PRAGMA journal_mode", []), "wal");
    app.try_login("user@example.com", PASSWORD).expect_status(200);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn files_that_are_not_backups_of_this_app_are_refused() {
    let project = project_with("user@example.com");
    let before = files(&project);
    for (name, sql, fault) in [
        ("foreign.db", "DROP TABLE schema_migrations", "it is no backup of this app"),
        (
            "newer.db",
            "INSERT INTO schema_migrations (revision, name, applied_at) VALUES (9999, 'later', '2030-01-01 00:00:00')",
            "is newer than this app: it has migration 9999 later",
        ),
        (
            "other.db",
            "UPDATE schema_migrations SET name = 'other' WHERE revision = 1",
            "its migration 0001 other is not the one here",
        ),
        (
            "gap.db",
            "DELETE FROM schema_migrations; INSERT INTO schema_migrations (revision, name, applied_at) VALUES (-1, 'x', '2030-01-01 00:00:00')",
            "another table schema_migrations",
        ),
        (
            "dangling.db",
            "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
             VALUES (99, 'a', 'b', 1, '2030-01-01 00:00:00', '2030-01-01 00:00:00')",
            "1 rows refer to rows that are gone",
        ),
    ] {
        run(&project, "backup", &[name]).succeeded();
        Database::open(&project.path(name)).execute_all(sql);
        run(&project, "restore", &[name]).failed(1, &[name, fault]);
    }
    run(&project, "backup", &["whole.db"]).succeeded();
    let whole = fs::read(project.path("whole.db")).expect("it is there");
    let half = &whole[..whole.len() / 2];
    for (name, content, fault) in [
        ("garbage.db", "garbage ".repeat(1000).as_bytes(), "is not a SQLite database"),
        ("half.db", half, "half.db is damaged"),
        ("empty.db", b"", "it is no backup of this app"),
    ] {
        fs::write(project.path(name), content).expect("the folder can be written");
        run(&project, "restore", &[name]).failed(1, &[name, fault]);
    }
    run(&project, "restore", &["nowhere.db"]).failed(1, &["there is no database", "nowhere.db"]);
    run(&project, "restore", &["state/sqlite_db.db"]).failed(2, &["is the database itself"]);
    assert_eq!(files(&project), before);
    run(&project, "restore", &["--force", "dangling.db"]).succeeded();
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn the_wal_of_a_killed_server_is_backed_up_and_kept() {
    let project = project_with("first@example.com");
    run(&project, "backup", &["first.db"]).succeeded();
    // Copies the files of an open database, which are those that a killed server leaves.
    let state = project.path("state");
    let db = project.db();
    db.execute_all("PRAGMA wal_autocheckpoint = 0");
    insert(&db, "in-the-wal@example.com");
    let names = ["sqlite_db.db", "sqlite_db.db-wal"];
    let left = names.map(|name| fs::read(state.join(name)).expect("it is there"));
    drop(db);
    let leave =
        || names.iter().zip(&left).for_each(|(name, content)| fs::write(state.join(name), content).expect("ours"));

    leave();
    run(&project, "backup", &["second.db"]).succeeded();
    let both = json!([["first@example.com"], ["in-the-wal@example.com"]]);
    assert_eq!(Database::open(&project.path("second.db")).rows(EMAILS, []), both);

    leave();
    run(&project, "restore", &["first.db"]).succeeded();
    assert_eq!(project.db().rows(EMAILS, []), json!([["first@example.com"]]));
    assert_eq!(Database::open(&kept(&project)[0]).rows(EMAILS, []), both);

    // A WAL without its database must not be applied to the restored one.
    leave();
    fs::remove_file(state.join("sqlite_db.db")).expect("it is there");
    run(&project, "restore", &["first.db"]).succeeded();
    assert_eq!(project.db().rows(EMAILS, []), json!([["first@example.com"]]));
    assert_eq!(project.db().value("PRAGMA integrity_check", []), "ok");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn a_corrupt_database_is_replaced_and_kept() {
    let project = project_with("user@example.com");
    run(&project, "backup", &["copy.db"]).succeeded();
    let garbage = "garbage ".repeat(1000);
    fs::write(project.path("state/sqlite_db.db"), &garbage).expect("the folder can be written");
    run(&project, "backup", &["other.db"]).failed(1, &["sqlite_db.db is not a SQLite database"]);
    assert!(!project.path("other.db").exists());
    run(&project, "restore", &["copy.db"]).succeeded();
    assert_eq!(project.db().rows(EMAILS, []), json!([["user@example.com"]]));
    assert_eq!(fs::read(&kept(&project)[0]).expect("it is there"), garbage.as_bytes());
}

/// Asserts that the project's database is the Python server's and can be served.
#[track_caller]
fn expect_adopted(project: Project) {
    let app = TestApp::of(project.migrate_on_start());
    app.try_login(EMAIL, OLD_PASSWORD).expect_status(200);
    assert_eq!(app.db().rows(EMAILS, []), json!([[EMAIL]]));
    assert_eq!(app.db().value("SELECT name FROM schema_migrations WHERE revision = 1", []), "create_accounts");
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn a_database_of_the_python_server_is_restored_and_adopted() {
    // Objects that the Python server's statements do not need may exist or be missing.
    let beside = "CREATE INDEX mine ON sessions (user_id); CREATE TABLE notes (id INTEGER);
                  CREATE VIRTUAL TABLE words USING fts5(word); DROP INDEX ix_users_id";
    for (change, has_sources) in [("", true), (beside, true), ("", false)] {
        let project = Project::new();
        if has_sources {
            copy_migrations(&project);
        }
        python_database(&project.path("theirs.db")).execute_all(change);
        let printed = run(&project, "restore", &["theirs.db"]).succeeded();
        assert!(printed.contains("at revision 7912bf623dee of the Python server"), "{printed}");
        expect_adopted(project);
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn a_backup_of_the_python_servers_database_replaces_another() {
    let project = project_with("user@example.com");
    let theirs = Project::new().environment("DATABASE_URL", "sqlite:///theirs.db");
    // Open meanwhile, as in the Python server, and without a write-ahead log.
    let db = python_database(&theirs.path("theirs.db"));
    run(&theirs, "backup", &["copy.db"]).succeeded();
    drop(db);
    let copy = theirs.path("copy.db").display().to_string();
    run(&project, "restore", &[&copy]).succeeded();
    assert_eq!(Database::open(&kept(&project)[0]).rows(EMAILS, []), json!([["user@example.com"]]));
    expect_adopted(project);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such command")]
fn databases_unlike_the_python_servers_are_refused() {
    let project = project_with("user@example.com");
    let before = files(&project);
    for (number, (change, fault)) in [
        ("UPDATE alembic_version SET version_num = '0123456789ab'", "is at 0123456789ab of Alembic"),
        ("INSERT INTO alembic_version VALUES ('a')", "is at 7912bf623dee and a of Alembic"),
        ("DELETE FROM alembic_version", "is at no revision of Alembic"),
        ("ALTER TABLE alembic_version RENAME version_num TO version", "has another table alembic_version than Alembic"),
        ("DROP TABLE alembic_version", "it is no backup of this app"),
        ("DROP TABLE audit_logs", "is not what Alembic's note 7912bf623dee says: there is no table audit_logs"),
        ("ALTER TABLE users DROP COLUMN is_admin", "its table users has no column is_admin"),
        ("ALTER TABLE users ADD COLUMN nickname TEXT", "its table users is defined otherwise"),
        ("DROP INDEX ix_users_email", "there is no unique index ix_users_email"),
        ("CREATE TABLE schema_migrations (version TEXT)", "has another table schema_migrations than this app"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("theirs{number}.db");
        python_database(&project.path(&name)).execute_all(change);
        run(&project, "restore", &[&name]).failed(1, &[&name, fault]);
    }
    assert_eq!(files(&project), before);
}
