//! The command component `migrate`.

use std::thread;

use serde_json::json;

use crate::backup::copy_migrations;
use crate::support::{Database, Finished, Host, Project, TestApp, is_sql_time};

pub(crate) fn migrate(project: &Project, words: &str) -> Finished {
    project.run("migrate", &words.split_whitespace().collect::<Vec<_>>())
}

/// Downgrades a database that the test has open, or a server.
pub(crate) fn downgrade(project: &Project, target: &str) -> Finished {
    // Spin has no such option, and asks nothing.
    let yes = if Host::under_test() == Host::Spin { "" } else { "--yes" };
    migrate(project, &format!("downgrade {target} {yes}"))
}

/// The names of the folders in `migrations/`, in order: `0001 create_accounts`.
pub(crate) fn names() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let entries = std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry"));
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().to_string_lossy().replacen('_', " ", 1)).collect();
    names.sort();
    names
}

fn head() -> String {
    format!("{} (head)", names().pop().expect("at least one migration"))
}

#[test]
fn upgrade_head_creates_the_documented_tables() {
    let project = Project::new();
    let printed = migrate(&project, "upgrade head").succeeded();
    for name in names() {
        assert!(printed.contains(&format!("Applied {name}")), "{printed}");
    }
    let db = project.db();
    for (table, columns) in [
        ("users", json!(["id", "email", "hashed_password", "is_active", "is_admin", "created_at", "updated_at"])),
        (
            "sessions",
            json!(["id", "user_id", "access_token_jti", "refresh_token_jti", "is_valid", "created_at", "expires_at"]),
        ),
        (
            "audit_logs",
            json!([
                "id",
                "user_id",
                "action",
                "resource",
                "resource_id",
                "details",
                "ip_address",
                "user_agent",
                "created_at"
            ]),
        ),
    ] {
        let found = db.rows("SELECT name FROM pragma_table_info(?1) ORDER BY cid", [table]);
        let found: Vec<_> = found.as_array().expect("rows").iter().map(|row| row[0].clone()).collect();
        // Later migrations may append columns.
        let documented = columns.as_array().expect("names");
        assert_eq!(&found[..documented.len()], documented.as_slice(), "{table}");
    }
    assert_eq!(db.value("PRAGMA journal_mode", []), "wal");
}

#[test]
fn upgrade_twice_has_nothing_to_do() {
    let project = Project::new();
    migrate(&project, "upgrade head").succeeded();
    let schema = project.db().rows("SELECT sql FROM sqlite_master", []);
    let printed = migrate(&project, "upgrade head").succeeded();
    assert!(printed.contains(&format!("Nothing to do: the database is at {}", head())), "{printed}");
    assert_eq!(project.db().rows("SELECT sql FROM sqlite_master", []), schema);
}

#[test]
fn current_and_history_show_the_position() {
    let project = Project::new();
    assert!(migrate(&project, "current").succeeded().contains("base, with no migration applied"));
    migrate(&project, "upgrade +1").succeeded();
    let first = &names()[0];
    assert!(migrate(&project, "current").succeeded().contains(first.as_str()));
    let history = migrate(&project, "history").succeeded();
    let lines: Vec<&str> = history.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(lines.len(), names().len(), "{history}");
    let oldest = lines.last().expect("a line");
    assert!(oldest.starts_with(first) && oldest.contains("(current), applied 2"), "{history}");
    assert!(lines[0].starts_with(&head()), "{history}");
}

#[test]
fn downgrade_reverts_one_or_all() {
    let project = Project::new();
    migrate(&project, "upgrade head").succeeded();
    let printed = migrate(&project, "downgrade -1").succeeded();
    assert!(printed.contains(&format!("Reverted {}", names().pop().expect("a name"))), "{printed}");
    migrate(&project, "upgrade head").succeeded();
    migrate(&project, "downgrade base").succeeded();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    assert_eq!(project.db().rows(tables, []), json!([["schema_migrations"]]));
    assert!(migrate(&project, "current").succeeded().contains("base"));
    migrate(&project, "downgrade -1").failed(1, &["cannot go -1"]);
}

#[test]
fn a_server_can_use_the_database_after_downgrade_and_upgrade() {
    let app = TestApp::start();
    app.register("user@example.com");
    downgrade(app.project(), "base").succeeded();
    migrate(app.project(), "upgrade head").succeeded();
    app.register("user@example.com");
}

#[test]
#[cfg_attr(spin_host, ignore = "only lanterne knows that a server runs")]
fn a_downgrade_beside_a_server_needs_a_yes() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    let project = app.project();
    copy_migrations(project);
    let in_use = "sqlite_db.db is open in another program, perhaps a running server";
    let newest = "0006_count_attempts, 0005_add_recovery drops users.email_verified, the table one_time_tokens, \
                  the table outbox, the table throttle";
    for (words, losses) in [
        ("downgrade 0004", newest),
        ("downgrade 0003", "0005_add_recovery, 0004_index_lists drops users.email_verified"),
        ("downgrade index_lists", newest),
        ("downgrade base", "the table users"),
        ("downgrade nowhere", "what the reverted migrations added is lost"),
    ] {
        migrate(project, words).failed(1, &[in_use, losses, "Stop the server", "--yes"]);
    }
    // These change nothing, or lose nothing.
    for words in ["downgrade base --sql", "downgrade --help", "current", "upgrade head", "stamp head"] {
        assert!(!migrate(project, words).stderr.contains(in_use), "{words}");
    }
    assert!(migrate(project, &format!("downgrade {}", names().len())).succeeded().contains("Nothing to do"));
    app.login(&account);

    let forced = migrate(app.project(), "downgrade --yes 0004");
    assert!(forced.stderr.contains(in_use) && forced.stderr.contains(newest), "{forced:?}");
    assert!(forced.succeeded().contains("Reverted 0005 add_recovery"));
    let project = app.into_project();
    let finished = migrate(&project, "downgrade -1");
    assert!(!finished.stderr.contains(in_use), "{finished:?}");
    assert!(finished.succeeded().contains("Reverted 0004 index_lists"));
}

#[test]
fn unknown_arguments_are_reported() {
    let project = Project::new();
    for (words, complaint) in [("sideways", "\"sideways\""), ("upgrade", "a target"), ("downgrade head", "\"head\"")] {
        migrate(&project, words).failed(Host::under_test().usage_status(), &["migrate: ", complaint]);
    }
    assert!(migrate(&project, "help").succeeded().contains("downgrade base"));
}

#[test]
fn simultaneous_migrators_apply_each_migration_once() {
    let project = Project::new();
    let printed: Vec<String> = thread::scope(|scope| {
        let run = || migrate(&project, "upgrade head").succeeded();
        let migrators: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        migrators.into_iter().map(|migrator| migrator.join().expect("it succeeds")).collect()
    });
    let applied: usize = printed.iter().map(|text| text.matches("Applied ").count()).sum();
    assert_eq!(applied, names().len(), "{printed:?}");
}

#[test]
fn a_failing_statement_is_reported_and_rolled_back() {
    let project = Project::new();
    migrate(&project, "upgrade head").succeeded();
    migrate(&project, "downgrade base").succeeded();
    // The first migration creates users and then fails on sessions, which exists already.
    let db = project.db();
    db.execute_all("CREATE TABLE sessions (somebody INTEGER)");
    let finished = migrate(&project, "upgrade head");
    finished.failed(1, &["migrate: migrations/0001_create_accounts/up.sql, line ", "table sessions already exists"]);
    assert_eq!(
        db.rows("SELECT name FROM sqlite_master WHERE name <> 'sqlite_sequence' ORDER BY name", []),
        json!([["schema_migrations"], ["sessions"]])
    );
}

#[test]
fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let project = Project::new();
    migrate(&project, "upgrade head").succeeded();
    // As if the text had been different when it was applied.
    project.db().execute("UPDATE schema_migrations SET checksum = 'another' WHERE revision = 1", []);
    for words in ["upgrade head", "downgrade base", "upgrade head --sql"] {
        migrate(&project, words)
            .failed(1, &["migrate: migration 0001 create_accounts was changed after it was applied"]);
    }
    let history = migrate(&project, "history").succeeded();
    assert!(history.contains(" UTC, CHANGED since then"), "{history}");
    let current = migrate(&project, "current").succeeded();
    assert!(current.contains("0001 create_accounts was changed after it was applied"), "{current}");
    assert_eq!(project.db().value("SELECT count(*) FROM users", []), 0);
    migrate(&project, "stamp head").succeeded();
    assert!(!migrate(&project, "history").succeeded().contains("CHANGED"));
    migrate(&project, "upgrade head").succeeded();
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let project = Project::new();
    migrate(&project, "upgrade head").succeeded();
    let row = "INSERT INTO schema_migrations VALUES (9999, 'from_the_future', '2030-01-01 00:00:00.000000', '')";
    project.db().execute(row, []);
    for words in ["upgrade head", "downgrade base", "stamp head", "current"] {
        migrate(&project, words).failed(1, &["migrate: the database has migration 9999 from_the_future"]);
    }
}

#[test]
fn a_revision_can_be_given_by_part_of_its_name() {
    let project = Project::new();
    migrate(&project, "upgrade create_acc").succeeded();
    assert_eq!(project.db().value("SELECT count(*) FROM schema_migrations", []), 1);
    let unknown = migrate(&project, "downgrade nowhere");
    unknown.failed(Host::under_test().usage_status(), &["migrate: unknown revision \"nowhere\""]);
}

#[test]
fn stamp_records_a_revision_and_runs_nothing() {
    let project = Project::new();
    let printed = migrate(&project, "stamp 1").succeeded();
    assert!(printed.contains("Recorded that the database is at 0001 create_accounts"), "{printed}");
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    assert_eq!(project.db().rows(tables, []), json!([["schema_migrations"]]));
    assert!(migrate(&project, "current").succeeded().contains("0001 create_accounts"));
    migrate(&project, "stamp base").succeeded();
    migrate(&project, "upgrade head").succeeded();
    assert_eq!(project.db().value("SELECT count(*) FROM users", []), 0);
}

#[test]
fn the_printed_sql_leads_to_the_same_database() {
    // Everything but the time at which a migration was applied.
    let schema = "SELECT name, sql FROM sqlite_master ORDER BY name";
    let versions = "SELECT revision, name, checksum FROM schema_migrations ORDER BY revision";
    let (printed, run) = (Project::new(), Project::new());
    let sql = migrate(&printed, "upgrade head --sql").succeeded();
    let db = Database::create(&printed.path("state/sqlite_db.db"));
    assert_eq!(db.rows(schema, []), json!([]));
    db.execute_all(&sql);
    migrate(&run, "upgrade head").succeeded();
    assert_eq!((db.rows(schema, []), db.rows(versions, [])), (run.db().rows(schema, []), run.db().rows(versions, [])));
    assert_eq!(db.value("PRAGMA journal_mode", []), "wal");
    assert!(is_sql_time(&db.value("SELECT max(applied_at) FROM schema_migrations", [])));

    let sql = migrate(&printed, "downgrade base --sql").succeeded();
    assert_ne!(db.rows(versions, []), json!([]));
    db.execute_all(&sql);
    migrate(&run, "downgrade base").succeeded();
    assert_eq!((db.rows(schema, []), db.rows(versions, [])), (run.db().rows(schema, []), json!([])));
}

#[test]
#[cfg_attr(spin_host, ignore = "`spin up` never migrates")]
fn no_migrate_leaves_the_database_unchanged() {
    let project = Project::new();
    migrate(&project, "upgrade head").succeeded();
    migrate(&project, "downgrade base").succeeded();
    let mut command = project.serve(Host::Lanterne, "127.0.0.1:0");
    command.arg("--no-migrate");
    let mut child = command.spawn().expect("it starts");
    // This line is printed after migrations would have run.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is piped")));
    let listening = lines.any(|line| line.is_ok_and(|line| line.starts_with("Listening on ")));
    let tables = project.db().value("SELECT count(*) FROM sqlite_master WHERE name = 'users'", []);
    child.kill().and_then(|()| child.wait()).expect("our own child");
    assert!(listening);
    assert_eq!(tables, 0);
}
