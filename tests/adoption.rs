//! Adoption: serving a database of the Python server, which can still use it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Database, Finished, Project, SECRET, TestApp, mint};

/// The DATABASE_URL in the Python server's documentation.
const URL: &str = "sqlite:///./memory/lanterne.db";
const FILE: &str = "memory/lanterne.db";

/// The schema as Alembic writes it, including tabs and trailing spaces.
pub(crate) const TABLES: &str = "
CREATE TABLE alembic_version (
\tversion_num VARCHAR(32) NOT NULL, 
\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE users (
\tid INTEGER NOT NULL, 
\temail VARCHAR(255) NOT NULL, 
\thashed_password VARCHAR(255) NOT NULL, 
\tis_active BOOLEAN NOT NULL, 
\tis_admin BOOLEAN NOT NULL, 
\tcreated_at DATETIME NOT NULL, 
\tupdated_at DATETIME NOT NULL, 
\tPRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_users_email ON users (email);
CREATE INDEX ix_users_id ON users (id);
CREATE TABLE audit_logs (
\tid INTEGER NOT NULL, 
\tuser_id INTEGER, 
\taction VARCHAR(100) NOT NULL, 
\tresource VARCHAR(100) NOT NULL, 
\tresource_id VARCHAR(255), 
\tdetails TEXT, 
\tip_address VARCHAR(45), 
\tuser_agent VARCHAR(500), 
\tcreated_at DATETIME NOT NULL, 
\tPRIMARY KEY (id), 
\tFOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX ix_audit_logs_id ON audit_logs (id);
CREATE TABLE sessions (
\tid INTEGER NOT NULL, 
\tuser_id INTEGER NOT NULL, 
\taccess_token_jti VARCHAR(36) NOT NULL, 
\trefresh_token_jti VARCHAR(36) NOT NULL, 
\tis_valid BOOLEAN NOT NULL, 
\tcreated_at DATETIME NOT NULL, 
\texpires_at DATETIME NOT NULL, 
\tPRIMARY KEY (id), 
\tFOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE UNIQUE INDEX ix_sessions_access_token_jti ON sessions (access_token_jti);
CREATE INDEX ix_sessions_id ON sessions (id);
CREATE UNIQUE INDEX ix_sessions_refresh_token_jti ON sessions (refresh_token_jti);
INSERT INTO alembic_version VALUES ('7912bf623dee');
";

/// The account in the database.
pub(crate) const EMAIL: &str = "old@example.com";
/// Its password.
pub(crate) const OLD_PASSWORD: &str = "moved in with the furniture";
/// The password's hash, computed by another bcrypt implementation.
pub(crate) const HASH: &str = "$2b$12$abcdefghijklmnopqrstuuXJT7l1LWhRLg/GxZKaypHMEUaYq7KXG";
const REFRESH_JTI: &str = "1d0a9b9e-4f2c-4b57-9a53-5b1f4a0c8f11";

/// Inserts an account as the Python server does.
pub(crate) const INSERT_USER: &str =
    "INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at)
                           VALUES (?1, ?2, 1, 0, '2025-11-13 04:26:27.968123', '2025-11-13 04:26:27.968130')";
/// Inserts a session of a user, with the ids of its tokens.
const INSERT_SESSION: &str = "INSERT INTO sessions
                                (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
                              VALUES (?1, ?2, ?3, 1, '2025-11-13 04:27:00.000001', '2099-01-01 00:00:00.000000')";
/// Inserts an audit row.
const INSERT_AUDIT: &str = "INSERT INTO audit_logs
                              (user_id, action, resource, resource_id, details, ip_address, user_agent, created_at)
                            VALUES (?1, 'login', 'session', NULL, 'User logged in', NULL, NULL,
                                    '2025-11-13 04:27:00.000002')";

/// Creates a database as the Python server leaves it.
pub(crate) fn python_database(path: &Path) -> Database {
    let db = Database::create(path);
    db.execute_all(TABLES);
    db.execute(INSERT_USER, [EMAIL, HASH]);
    db.execute(INSERT_SESSION, ["1", "8e2f7a3c-6d1b-4c90-8f7e-2b3a4c5d6e7f", REFRESH_JTI]);
    db.execute(INSERT_AUDIT, ["1"]);
    db
}

/// A project whose DATABASE_URL is such a database.
fn python_project() -> (Project, Database) {
    let project = Project::new().environment("DATABASE_URL", URL);
    let db = python_database(&project.path(FILE));
    (project, db)
}

/// A refresh token of the Python server, which has no `iat`.
fn refresh_token() -> String {
    let claims = json!({"sub": "1", "exp": 4_070_908_800_i64, "type": "refresh", "jti": REFRESH_JTI});
    mint(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), &claims)
}

#[test]
#[cfg_attr(spin_host, ignore = "only lanterne reads DATABASE_URL")]
fn accounts_and_sessions_of_the_python_server_stay_valid() {
    let (project, db) = python_project();
    let app = TestApp::of(project);
    app.try_login(EMAIL, OLD_PASSWORD).expect_status(200);
    app.try_login(EMAIL, "another password").expect_status(401);
    app.refresh(&refresh_token());
    app.try_refresh(&refresh_token()).expect_status(401);
    assert_eq!(app.register("new@example.com").id, 2);
    app.try_register(EMAIL).expect_detail(400, "Email already registered");
    let first = "SELECT revision, name, length(checksum) FROM schema_migrations WHERE revision = 1";
    assert_eq!(db.rows(first, []), json!([[1, "create_accounts", 64]]));
    assert_eq!(db.value("SELECT version_num FROM alembic_version", []), "7912bf623dee");
    assert!(!app.project().path("state/sqlite_db.db").exists());
}

#[test]
#[cfg_attr(spin_host, ignore = "only lanterne reads DATABASE_URL")]
fn the_python_server_can_still_use_the_file() {
    let (project, db) = python_project();
    // Accounts of the Python server count as verified, those before the move as well as those after it.
    let app = TestApp::of(project.variable("mail", "log").variable("email_verification", "required"));
    app.register("new@example.com");
    app.try_login(EMAIL, OLD_PASSWORD).expect_status(200);
    // These statements name no column of a later migration.
    db.execute(INSERT_USER, ["later@example.com", HASH]);
    db.execute(INSERT_SESSION, ["3", "0c4f9f6e-30e1-4b0e-a5a4-3cbd4d2d0f6e", "f1b7c0de-5a59-4d6c-9d53-0f4b8d6f2a10"]);
    db.execute(INSERT_AUDIT, ["3"]);
    app.try_login("later@example.com", OLD_PASSWORD).expect_status(200);
    // The documented columns hold what the Python server expects.
    let documented = "SELECT typeof(email), typeof(is_active), typeof(created_at), typeof(updated_at) FROM users";
    let types = json!(["text", "integer", "text", "text"]);
    assert_eq!(db.rows(documented, []), Value::Array(vec![types; 3]));
}

#[test]
#[cfg_attr(spin_host, ignore = "only lanterne reads DATABASE_URL")]
fn current_and_history_do_not_write() {
    let (project, db) = python_project();
    drop(db);
    let before = contents(&project.path("memory"));
    assert!(project.run("migrate", &["current"]).succeeded().contains("0001 create_accounts"));
    assert!(project.run("migrate", &["history"]).succeeded().contains("applied by Alembic"));
    project.run("migrate", &["upgrade", "head", "--sql"]).succeeded();
    assert_eq!(contents(&project.path("memory")), before);
}

/// Asserts that the server refuses to start on this file with one line that has `words`, and changes no byte of it and
/// adds no file beside it.
#[track_caller]
fn expect_refusal(project: Project, words: &str) {
    let before = contents(&project.path("memory"));
    let finished = Finished::of(project.serve(crate::support::Host::Lanterne, "127.0.0.1:0"));
    finished.failed(1, &["migrate: ", words]);
    let complaints = finished.stderr.lines().filter(|line| line.starts_with("migrate: ")).count();
    assert_eq!(complaints, 1, "{finished:#?}");
    for target in [["upgrade", "head"], ["downgrade", "base"]] {
        project.run("migrate", &target).failed(1, &["migrate: ", words]);
    }
    assert_eq!(contents(&project.path("memory")), before);
}

/// The names and bytes of the files in a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry"));
    let content = |path: &Path| fs::read(path).expect("a file");
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), content(&entry.path()))).collect();
    files.sort();
    files
}

#[test]
#[cfg_attr(spin_host, ignore = "only lanterne reads DATABASE_URL")]
fn tables_that_differ_from_the_alembic_revision_are_refused() {
    for (change, words) in [
        ("ALTER TABLE users DROP COLUMN is_admin", "its table users has no column is_admin"),
        ("ALTER TABLE sessions RENAME COLUMN is_valid TO valid", "its table sessions has no column is_valid"),
        ("DROP TABLE audit_logs", "there is no table audit_logs"),
        ("UPDATE alembic_version SET version_num = '0123456789ab'", "migration 0123456789ab of Alembic"),
    ] {
        let (project, db) = python_project();
        db.execute_all(change);
        drop(db);
        expect_refusal(project, words);
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "only lanterne reads DATABASE_URL")]
fn databases_of_unknown_origin_are_refused() {
    for (sql, words) in [
        ("CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)", "it has tables (moz_places), and neither"),
        ("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)", "it has tables (users), and neither"),
        ("CREATE TABLE schema_migrations (version TEXT)", "its table schema_migrations belongs to another program"),
    ] {
        let project = Project::new().environment("DATABASE_URL", URL);
        Database::create(&project.path(FILE)).execute_all(sql);
        expect_refusal(project, words);
    }
    let (project, db) = python_project();
    db.execute_all("DROP TABLE alembic_version");
    drop(db);
    expect_refusal(project, "`migrate stamp 0001_create_accounts`");
}
