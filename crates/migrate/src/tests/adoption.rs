//! Which databases are accepted.

use futures_lite::future::block_on;
use lanterne_database::SqliteFile;

use super::{BASE, HEAD, database, definitions, down, execute, open, rows, state, texts, up};
use crate::adoption::TABLES;
use crate::error::Error;
use crate::migrations::MIGRATIONS;

/// Alembic's table, with the Python server's revision.
const NOTE: &str = "CREATE TABLE alembic_version (
                        version_num VARCHAR(32) NOT NULL, 
                        CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
                    );
                    INSERT INTO alembic_version VALUES ('7912bf623dee')";

/// Fails the test unless the database is refused with these words, and no statement has changed it.
#[track_caller]
fn expect_refusal(db: &SqliteFile, words: &str) {
    let everything = |db: &SqliteFile| texts(db, "SELECT coalesce(sql, name) FROM sqlite_master ORDER BY 1");
    let before = everything(db);
    for outcome in [up(db, MIGRATIONS, HEAD), down(db, MIGRATIONS, BASE)] {
        let message = outcome.expect_err("it is not ours").to_string();
        assert!(message.contains(words) && !message.contains('\n'), "{message}");
    }
    assert_eq!(everything(db), before);
    let mode: String = texts(db, "PRAGMA journal_mode").remove(0);
    assert_eq!(mode, "delete");
}

#[test]
fn the_expected_tables_are_those_of_the_first_migration() {
    let (_folder, db) = database();
    execute(&db, MIGRATIONS[0].up);
    for table in TABLES {
        let sql = format!("SELECT group_concat(name || ' ' || type, ', ') FROM pragma_table_info('{}')", table.name);
        assert_eq!(texts(&db, &sql), [table.columns], "{}", table.name);
    }
    assert_eq!(rows(&db, "SELECT 1 FROM sqlite_master WHERE type = 'table'").len(), 3);
}

#[test]
fn a_database_of_the_python_server_is_adopted() {
    let (_folder, db) = database();
    execute(&db, MIGRATIONS[0].up);
    execute(&db, NOTE);
    assert_eq!(state(&db, MIGRATIONS).position, 1);
    assert!(!up(&db, MIGRATIONS, HEAD).expect("it runs").contains(&format!("Applied {}", MIGRATIONS[0])));
    down(&db, MIGRATIONS, BASE).expect("it runs");
    assert_eq!(definitions(&db), Vec::<String>::new());
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
}

#[test]
fn alembics_revision_beside_other_tables_is_refused() {
    for (change, words) in [
        ("DROP TABLE audit_logs", "there is no table audit_logs"),
        ("ALTER TABLE users DROP COLUMN is_admin", "its table users has no column is_admin"),
        ("ALTER TABLE users ADD COLUMN nickname TEXT", "its table users has a column nickname"),
        (
            "ALTER TABLE sessions DROP COLUMN expires_at; ALTER TABLE sessions ADD COLUMN expires_at INTEGER",
            "its column sessions.expires_at is \"INTEGER\" and not DATETIME",
        ),
        ("DROP INDEX ix_users_email", "its column users.email has no unique index"),
        (
            "DROP INDEX ix_users_email; CREATE UNIQUE INDEX i ON users (email) WHERE is_active",
            "its column users.email has no unique index",
        ),
        (
            "DROP INDEX ix_users_email; CREATE UNIQUE INDEX i ON users (email, is_active)",
            "its column users.email has no unique index",
        ),
    ] {
        let (_folder, db) = database();
        execute(&db, MIGRATIONS[0].up);
        execute(&db, NOTE);
        execute(&db, change);
        expect_refusal(&db, words);
    }
}

#[test]
fn other_revisions_of_alembic_are_refused() {
    let (_folder, db) = database();
    execute(&db, NOTE);
    execute(&db, "UPDATE alembic_version SET version_num = 'ffffffffffff'");
    expect_refusal(&db, "has migration ffffffffffff of Alembic");
}

#[test]
fn a_database_that_alembic_reverted_to_base_counts_as_empty() {
    let (_folder, db) = database();
    execute(&db, NOTE);
    execute(&db, "DELETE FROM alembic_version");
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
}

#[test]
fn tables_of_unknown_origin_are_refused() {
    let (_folder, db) = database();
    execute(&db, "CREATE TABLE bookmarks (url TEXT); CREATE TABLE moz_places (id INTEGER PRIMARY KEY AUTOINCREMENT)");
    expect_refusal(&db, "it has tables (bookmarks, moz_places), and neither");

    let (_folder, db) = database();
    execute(&db, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)");
    expect_refusal(&db, "it has tables (users), and neither");

    let (_folder, db) = database();
    execute(&db, "CREATE TABLE schema_migrations (version VARCHAR NOT NULL PRIMARY KEY)");
    expect_refusal(&db, "its table schema_migrations belongs to another program");
}

#[test]
fn tables_that_match_ours_can_be_stamped() {
    let (_folder, db) = database();
    execute(&db, MIGRATIONS[0].up);
    expect_refusal(&db, "`migrate stamp 0001_create_accounts`");
    block_on(crate::runner::stamp(&db, MIGRATIONS, 1)).expect("it is believed");
    assert_eq!(state(&db, MIGRATIONS).position, 1);
    up(&db, MIGRATIONS, HEAD).expect("it runs");
}

#[test]
fn a_file_of_another_format_is_refused() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let notes = "somebody's notes, longer than a header is. ".repeat(40);
    std::fs::write(folder.path().join("test.db"), &notes).expect("it can be written");
    let db = open(folder.path());
    assert!(matches!(up(&db, MIGRATIONS, HEAD), Err(Error::NotADatabase)));
    assert_eq!(std::fs::read_to_string(folder.path().join("test.db")).ok(), Some(notes));
}
