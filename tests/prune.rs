//! The command component `prune`.

use std::thread;

use serde_json::json;

use crate::support::{Database, Host, Project, TestApp};

/// Inserts a session that expires in `days` days.
fn session(db: &Database, name: &str, is_valid: bool, days: i64) {
    db.execute(
        "INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         VALUES (1, ?1, ?1, ?2, '2020-01-01 00:00:00.000000', strftime('%Y-%m-%d %H:%M:%f000', 'now', ?3))",
        (name, is_valid, format!("{days} days")),
    );
}

/// Inserts an audit row that is `days` days old.
fn audit_row(db: &Database, details: &str, days: i64) {
    db.execute(
        "INSERT INTO audit_logs (action, resource, details, created_at)
         VALUES ('login', 'session', ?1, strftime('%Y-%m-%d %H:%M:%f000', 'now', ?2))",
        (details, format!("-{days} days")),
    );
}

#[test]
fn prune_deletes_only_rows_older_than_the_limit() {
    let project = Project::migrated();
    let db = project.db();
    session(&db, "over for long", true, -31);
    session(&db, "over for long and ended", false, -400);
    session(&db, "over since yesterday", true, -1);
    session(&db, "ended, but its token could come back", false, 3);
    session(&db, "in use", true, 3);
    audit_row(&db, "old", 366);
    audit_row(&db, "not so old", 364);

    let dry = project.run("prune", &["--sessions-days", "30", "--audit-days", "365", "--dry-run"]).succeeded();
    assert!(dry.contains("Would delete 2 sessions that expired more than 30 days ago"), "{dry}");
    assert!(dry.contains("Would delete 1 audit rows that were written more than 365 days ago"), "{dry}");
    assert_eq!(db.value("SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM audit_logs)", []), 7);

    let printed = project.run("prune", &["--sessions-days", "30"]).succeeded();
    assert!(printed.contains("Deleted 2 sessions") && !printed.contains("audit"), "{printed}");
    assert_eq!(db.value("SELECT count(*) FROM audit_logs", []), 2);

    let printed = project.run("prune", &["--audit-days=365"]).succeeded();
    assert!(printed.contains("Deleted 1 audit rows"), "{printed}");
    assert_eq!(
        db.rows("SELECT refresh_token_jti FROM sessions ORDER BY id", []),
        json!([["over since yesterday"], ["ended, but its token could come back"], ["in use"]])
    );
    assert_eq!(db.rows("SELECT details FROM audit_logs", []), json!([["not so old"]]));
}

#[test]
fn prune_does_not_block_logins() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    let db = app.db();
    // Every fourth row stays, so that batches have gaps.
    db.execute_all(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
         SELECT 1, 'old' || i, 'old' || i, 1, '2020-01-01 00:00:00.000000',
                iif(i % 4, '2020-01-08 00:00:00.000000', '2090-01-01 00:00:00.000000') FROM n",
    );
    thread::scope(|scope| {
        let prune = scope.spawn(|| app.project().run("prune", &["--sessions-days", "1"]).succeeded());
        let mut logins = 0;
        while !prune.is_finished() || logins < 3 {
            app.login(&account);
            logins += 1;
        }
        let printed = prune.join().expect("it succeeds");
        assert!(printed.contains("Deleted 30000 sessions"), "{printed}");
    });
    let kept = "SELECT count(*), min(expires_at) FROM sessions WHERE refresh_token_jti LIKE 'old%'";
    assert_eq!(db.rows(kept, []), json!([[10_000, "2090-01-01 00:00:00.000000"]]));
}

#[test]
fn prune_refuses_invalid_arguments() {
    let project = Project::migrated();
    for (words, complaint) in [
        (vec!["--dry-run"], "nothing to delete"),
        (vec!["--sessions-days", "0"], "--sessions-days is \"0\"; allowed: a whole number of days, 1 to 36500"),
        (vec!["--audit-days"], "--audit-days needs a number"),
        (vec!["--everything"], "\"--everything\""),
    ] {
        project.run("prune", &words).failed(Host::under_test().usage_status(), &["prune: ", complaint]);
    }
    assert!(project.run("prune", &["help"]).succeeded().contains("--sessions-days N"));
}

#[test]
fn prune_without_tables_refers_to_migrate() {
    let project = Project::new();
    project.run("prune", &["--audit-days", "1"]).failed(1, &["prune: the database has no table users", "upgrade head"]);
}

#[test]
fn prune_deletes_only_expired_throttle_counters() {
    let app = TestApp::start();
    app.try_login("old@example.com", "a wrong password").expect_status(401);
    let store = Database::open(&app.project().path("state/sqlite_key_value.db"));
    let age = "UPDATE spin_key_value SET value = CAST(json_set(CAST(value AS TEXT), '$.expires_at', 0) AS BLOB)
               WHERE key NOT LIKE '%/address/%'";
    assert_eq!(store.execute(age, []), 2);
    app.try_login("new@example.com", "a wrong password").expect_status(401);
    store.execute("INSERT INTO spin_key_value (store, key, value) VALUES ('default', 'somebody else''s', x'00')", []);
    let count = || store.value("SELECT count(*) FROM spin_key_value", []);
    assert_eq!(count(), 6);
    let dry = app.project().run("prune", &["--throttle", "--dry-run"]).succeeded();
    assert!(dry.contains("Would delete 2 expired counters of failed logins"), "{dry}");
    assert_eq!(count(), 6);
    let printed = app.project().run("prune", &["--throttle"]).succeeded();
    assert!(printed.contains("Deleted 2 expired counters"), "{printed}");
    assert_eq!(count(), 4);
}
