//! Killing a migrator leaves a database that the next one can continue with.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Database, Project};

const KILLS: u32 = 10;
/// The test has the database open.
const DOWNGRADE: [&str; 3] = ["downgrade", "base", "--yes"];
/// Rows that slow down both directions: references are checked over all of them before a commit.
const ROWS: &str = "
    INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
    VALUES ('user@example.com', 'x', 1, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    INSERT INTO audit_logs (user_id, action, resource, details, created_at)
    SELECT 1, 'login', 'session', printf('%.200c', 'x'), '2026-01-01 00:00:00.000000' FROM n";

fn migrate(project: &Project, words: &[&str]) -> Duration {
    let start = Instant::now();
    project.run("migrate", words).succeeded();
    start.elapsed()
}

/// Starts a migrator and kills it after `delay`. Returns whether it was still running.
fn killed(project: &Project, words: &[&str], delay: Duration) -> bool {
    let mut child = project.component("migrate", words).spawn().expect("it starts");
    thread::sleep(delay);
    // SIGKILL, so that no handler runs.
    child.kill().expect("our own child");
    !child.wait().expect("our own child").success()
}

/// Asserts that the file is intact and its schema matches the migrations that it records as applied.
#[track_caller]
fn expect_consistent(db: &Database) {
    assert_eq!(db.value("PRAGMA integrity_check", []), "ok");
    let tables = db.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", []);
    let has = |name: &str| tables.as_array().is_some_and(|rows| rows.contains(&json!([name])));
    let applied = match has("schema_migrations") {
        true => db.value("SELECT count(*) FROM schema_migrations", []),
        false => Value::from(0),
    };
    let documented = ["audit_logs", "sessions", "users"].map(has);
    assert_eq!(documented, [applied != 0; 3], "{applied} applied, and there are {tables}");
}

#[test]
#[cfg_attr(spin_host, ignore = "`spin up` runs components in a child of its own, which a kill does not reach")]
fn a_killed_migrator_leaves_a_consistent_database() {
    let project = Project::new();
    migrate(&project, &["upgrade", "head"]);
    let db = project.db();
    db.execute_all(ROWS);
    let duration = migrate(&project, &DOWNGRADE);
    let (mut kills, mut interrupted) = (0, 0);
    // Alternates between both directions, killing each migrator a little later than the one before.
    for round in 0..KILLS {
        let words = if round % 2 == 0 { &["upgrade", "head"][..] } else { &DOWNGRADE };
        if round % 2 == 1 {
            db.execute_all(ROWS);
        }
        let before = db.value("SELECT count(*) FROM sqlite_master", []);
        if killed(&project, words, duration * round / KILLS) {
            kills += 1;
        }
        expect_consistent(&db);
        if db.value("SELECT count(*) FROM sqlite_master", []) == before {
            interrupted += 1;
        }
        migrate(&project, words);
        expect_consistent(&db);
    }
    assert!(kills > 0 && interrupted > 0, "all {KILLS} were faster than their killer: nothing was tried");
}
