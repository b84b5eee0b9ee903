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
fn prune_deletes_old_messages_and_expired_tokens() {
    let project = Project::migrated();
    let db = project.db();
    db.execute_all(
        "INSERT INTO users (id, email, hashed_password, is_active, is_admin, created_at, updated_at) VALUES
           (1, 'user@example.com', 'x', 1, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000');
         INSERT INTO outbox (message_id, type, recipient, created_at, attempts) VALUES
           ('old', 'password.changed', 'user@example.com', '2026-01-01 00:00:00.000000', 1),
           ('new', 'password.changed', 'user@example.com', '2099-01-01 00:00:00.000000', 1);
         INSERT INTO one_time_tokens (user_id, purpose, token_hash, email, is_mailed, created_at, expires_at) VALUES
           (1, 'a', 'old', 'user@example.com', 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:30:00.000000'),
           (1, 'b', 'new', 'user@example.com', 1, '2026-01-01 00:00:00.000000', '2099-01-01 00:30:00.000000')",
    );
    let printed = project.run("prune", &["--mail-days", "7"]).succeeded();
    assert!(printed.contains("Deleted 1 messages that were written more than 7 days ago"), "{printed}");
    assert!(printed.contains("Deleted 1 one-time tokens that expired more than 7 days ago"), "{printed}");
    assert_eq!(db.rows("SELECT message_id FROM outbox", []), json!([["new"]]));
    assert_eq!(db.rows("SELECT token_hash FROM one_time_tokens", []), json!([["new"]]));
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
    let db = app.db();
    db.execute("UPDATE throttle SET window_ends_at = 1 WHERE key LIKE 'pair/%'", []);
    // Counted while the clock was years ahead.
    db.execute("UPDATE throttle SET window_ends_at = 9999999999999 WHERE key LIKE 'account/%'", []);
    let count = || db.value("SELECT count(*) FROM throttle", []);
    assert_eq!(count(), 3);
    let dry = app.project().run("prune", &["--throttle", "--dry-run"]).succeeded();
    assert!(dry.contains("Would delete 2 expired counters of attempts"), "{dry}");
    assert_eq!(count(), 3);
    let printed = app.project().run("prune", &["--throttle"]).succeeded();
    assert!(printed.contains("Deleted 2 expired counters"), "{printed}");
    assert_eq!(count(), 1);
}

#[test]
fn prune_deletes_spent_rows_of_a_session_in_use() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    let first = app.login(&account);
    let second = app.refresh(&first.refresh);
    let third = app.refresh(&second.refresh);
    let age = "UPDATE sessions SET rotated_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-8 days') WHERE id = 1";
    assert_eq!(app.db().execute(age, []), 1);
    let printed = app.project().run("prune", &["--spent-days", "7"]).succeeded();
    assert!(printed.contains("Deleted 1 rows of refresh tokens that were used more than 7 days ago"), "{printed}");
    assert_eq!(app.db().rows("SELECT id, chain_id FROM sessions", []), json!([[2, 1], [3, 1]]));

    // Unknown by now: refused, and the session goes on under its id.
    app.try_refresh(&first.refresh).expect_detail(401, "Invalid or expired refresh token");
    let fourth = app.refresh(&third.refresh);
    let sessions = app.get("/users/me/sessions").bearer(&fourth.access).send().expect_status(200).json();
    assert_eq!((&sessions[0]["id"], sessions.as_array().map(Vec::len)), (&json!(1), Some(1)));
    app.get("/users/me").bearer(&second.access).send().expect_status(200);

    // The row of the second token is still there, so its reuse ends the session.
    app.db().execute("UPDATE sessions SET rotated_at = '2026-01-01 00:00:00.000000' WHERE id = 2", []);
    app.try_refresh(&second.refresh).expect_status(401);
    app.try_refresh(&fourth.refresh).expect_status(401);
}

#[test]
fn prune_returns_free_space_while_the_server_runs() {
    let app = TestApp::start();
    let account = app.register("user@example.com");
    let db = app.db();
    db.execute_all(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO audit_logs (action, resource, details, created_at)
         SELECT 'login', 'session', 'words that take some space', '2020-01-01 00:00:00.000000' FROM n",
    );
    let pages = || db.value("SELECT page_count FROM pragma_page_count", []).as_i64().expect("a number");
    let full = pages();
    let dry = app.project().run("prune", &["--compact", "--dry-run"]).succeeded();
    assert!(dry.contains("Would compact the database of"), "{dry}");
    let printed = app.project().run("prune", &["--audit-days", "365", "--compact"]).succeeded();
    assert!(
        printed.contains("Deleted 20000 audit rows") && printed.contains("Compacted the database from"),
        "{printed}"
    );
    assert!(pages() < full / 2, "{} of {full} pages", pages());
    app.login(&account);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin has no such flag")]
fn a_server_prunes_at_the_start_and_leaves_what_is_needed() {
    let app = TestApp::start();
    let (_, first) = app.logged_in("user@example.com");
    let second = app.refresh(&first.refresh);
    app.logged_in("gone@example.com");
    let age = "UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000' WHERE user_id = 2";
    assert_eq!(app.db().execute(age, []), 1);
    let project = app.into_project().flag("--prune-every").flag("1h");
    let app = TestApp::of(project);
    while app.db().value("SELECT count(*) FROM sessions WHERE user_id = 2", []) != 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    app.refresh(&second.refresh);
    assert_eq!(app.db().value("SELECT count(*) FROM sessions WHERE user_id = 1", []), 3);
    let log = app.into_log();
    assert!(log.contains("Deleted 1 sessions that expired more than 30 days ago component=prune"), "{log}");
}
