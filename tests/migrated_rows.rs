//! Migrations keep the rows.

use serde_json::json;

use crate::migrations::{downgrade, migrate, names};
use crate::support::{Database, Project, TestApp};

/// A database at revision 0001 with accounts, one of them deleted, sessions and audit rows.
fn in_use_at_0001() -> (Project, Database) {
    let project = Project::new();
    migrate(&project, "upgrade 1").succeeded();
    let db = project.db();
    db.execute_all(
        "INSERT INTO users (id, email, hashed_password, is_active, is_admin, created_at, updated_at) VALUES
           (1, 'one@example.com', 'x', 1, 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000'),
           (4, 'four@example.com', 'x', 0, 0, '2026-01-04 00:00:00.000000', '2026-01-04 00:00:00.000000');
         INSERT INTO sessions
           (id, user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at) VALUES
           (1, 1, 'a1', 'r1', 1, '2026-01-02 00:00:00.000000', '2099-01-01 00:00:00.000000'),
           (2, 4, 'a2', 'r2', 1, '2026-01-03 00:00:00.000000', '2099-01-01 00:00:00.000000'),
           (7, 6, 'a7', 'r7', 0, '2026-01-06 00:00:00.000000', '2099-01-01 00:00:00.000000');
         INSERT INTO audit_logs (id, user_id, action, resource, resource_id, created_at) VALUES
           (1, 1, 'register', 'user', '1', '2026-01-01 00:00:00.000000'),
           (2, 9, 'register', 'user', '9', '2026-01-01 00:00:00.000000'),
           (3, NULL, 'login', 'session', NULL, '2026-01-01 00:00:00.000000');",
    );
    (project, db)
}

const ACCOUNTS: &str = "SELECT id, email, hashed_password, is_active, is_admin, created_at, updated_at
                        FROM users ORDER BY id";
const SESSIONS: &str = "SELECT id, user_id, access_token_jti, refresh_token_jti, created_at, expires_at
                        FROM sessions ORDER BY id";
const LINES: &str = "SELECT id, action, resource, resource_id, created_at FROM audit_logs ORDER BY id";

#[test]
fn rows_survive_every_upgrade_and_downgrade() {
    let (project, db) = in_use_at_0001();
    let rows = || [ACCOUNTS, SESSIONS, LINES].map(|sql| db.rows(sql, []));
    let before = rows();
    for _ in 1..names().len() {
        migrate(&project, "upgrade +1").succeeded();
        assert_eq!(rows(), before);
    }
    assert_eq!(db.value("SELECT user_id FROM audit_logs WHERE id = 2", []), 9);
    assert_eq!(db.rows("SELECT email_verified FROM users", []), json!([[1], [1]]), "as before there was such a column");
    downgrade(&project, "1").succeeded();
    assert_eq!(rows(), before);
    // Account 9 does not exist, so the restored foreign key sets its id to null.
    assert_eq!(db.rows("SELECT user_id FROM audit_logs ORDER BY id", []), json!([[1], [null], [null]]));
    migrate(&project, "upgrade head").succeeded();
    assert_eq!(rows(), before);
    let app = TestApp::of(project);
    assert_eq!(app.register("new@example.com").id, 10, "the line about account 9 still names it");
}

#[test]
fn ids_found_in_any_table_are_not_reused() {
    let (project, db) = in_use_at_0001();
    migrate(&project, "upgrade head").succeeded();
    let app = TestApp::of(project);
    assert_eq!(app.register("new@example.com").id, 10, "the audit log knows of account 9");
    // A session older than account 4 belonged to an earlier account with that id.
    assert_eq!(db.rows("SELECT id, is_valid FROM sessions ORDER BY id", []), json!([[1, 1], [2, 0], [7, 0]]));
}

#[test]
fn tokens_and_messages_end_with_a_downgrade_and_accounts_stay() {
    let (project, db) = in_use_at_0001();
    migrate(&project, "upgrade head").succeeded();
    let rows = || [ACCOUNTS, SESSIONS, LINES].map(|sql| db.rows(sql, []));
    let before = rows();
    db.execute_all(
        "UPDATE users SET email_verified = 0;
         INSERT INTO one_time_tokens (user_id, purpose, token_hash, email, is_mailed, created_at, expires_at) VALUES
           (1, 'password_reset', 'h', 'one@example.com', 1, '2026-01-01 00:00:00.000000', '2099-01-01 00:00:00.000000');
         INSERT INTO outbox (message_id, type, user_id, recipient, token, created_at, attempts, next_attempt_at) VALUES
           ('m', 'password.reset', 4, 'four@example.com', 't', '2026-01-01 00:00:00.000000', 0, '2026-01-01 00:00:00.000000');",
    );
    downgrade(&project, "4").succeeded();
    assert_eq!(rows(), before);
    let tables = "SELECT count(*) FROM sqlite_master WHERE name LIKE '%one_time_tokens%' OR name LIKE '%outbox%'";
    assert_eq!(db.value(tables, []), 0);
    migrate(&project, "upgrade head").succeeded();
    assert_eq!(rows(), before);
    assert_eq!(db.rows("SELECT email_verified FROM users", []), json!([[1], [1]]), "the API would lock them out");
    assert_eq!(db.value("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM one_time_tokens)", []), 0);
}
