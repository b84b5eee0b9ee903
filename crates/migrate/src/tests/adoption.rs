//! Whose a database is.

use futures_lite::future::block_on;

use super::{BASE, File, HEAD, database, down, up};
use crate::adoption::TABLES;
use crate::error::Error;
use crate::migrations::MIGRATIONS;
use crate::versions;

/// Alembic's table, with its note of the Python server's revision.
const NOTE: &str = "CREATE TABLE alembic_version (
                        version_num VARCHAR(32) NOT NULL, 
                        CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
                    );
                    INSERT INTO alembic_version VALUES ('7912bf623dee')";

/// Fails the test unless the database is refused with these words, and no statement has changed it.
#[track_caller]
fn expect_refusal(db: &File, words: &str) {
    let everything = |db: &File| {
        let rows = db.query_now("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY 1", vec![]).expect("rows");
        rows.iter().map(|row| row.get(0).expect("text")).collect::<Vec<String>>()
    };
    let before = everything(db);
    for outcome in [up(db, MIGRATIONS, HEAD), down(db, MIGRATIONS, BASE)] {
        let message = outcome.expect_err("it is not ours").to_string();
        assert!(message.contains(words) && !message.contains('\n'), "{message}");
    }
    assert_eq!(everything(db), before);
    let mode: String = db.query_now("PRAGMA journal_mode", vec![]).expect("a mode")[0].get(0).expect("text");
    assert_eq!(mode, "delete");
}

#[test]
fn the_expected_tables_are_those_of_the_first_migration() {
    let (_folder, db) = database();
    db.run(MIGRATIONS[0].up);
    for table in TABLES {
        let sql = format!("SELECT name, type FROM pragma_table_info('{}')", table.name);
        let rows = db.query_now(&sql, vec![]).expect("rows");
        let found: Vec<(String, String)> =
            rows.iter().map(|row| (row.get(0).expect("text"), row.get(1).expect("text"))).collect();
        let expected: Vec<_> = table.columns.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        assert_eq!(found, expected, "{}", table.name);
    }
    let tables = db.query_now("SELECT count(*) FROM sqlite_master WHERE type = 'table'", vec![]).expect("a row");
    assert_eq!(tables[0].get::<i64>(0).expect("a number"), 3);
}

#[test]
fn a_database_of_the_python_server_is_taken_as_it_is() {
    let (_folder, db) = database();
    db.run(MIGRATIONS[0].up);
    db.run(NOTE);
    assert_eq!(block_on(versions::position(&db, MIGRATIONS)).ok(), Some(1));
    assert!(!up(&db, MIGRATIONS, HEAD).expect("it runs").contains(&format!("Applied {}", MIGRATIONS[0])));
    down(&db, MIGRATIONS, BASE).expect("it runs");
    assert_eq!(db.schema(), Vec::<String>::new());
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
}

#[test]
fn a_note_of_alembics_beside_other_tables_is_not_believed() {
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
        db.run(MIGRATIONS[0].up);
        db.run(NOTE);
        db.run(change);
        expect_refusal(&db, words);
    }
}

#[test]
fn other_revisions_of_alembic_are_refused() {
    let (_folder, db) = database();
    db.run(NOTE);
    db.run("UPDATE alembic_version SET version_num = 'ffffffffffff'");
    expect_refusal(&db, "has migration ffffffffffff of Alembic");
}

#[test]
fn an_alembic_that_has_taken_everything_back_leaves_an_empty_database() {
    let (_folder, db) = database();
    db.run(NOTE);
    db.run("DELETE FROM alembic_version");
    assert_eq!(up(&db, MIGRATIONS, HEAD).expect("it runs").len(), MIGRATIONS.len());
}

#[test]
fn tables_of_which_nobody_says_whose_they_are_are_refused() {
    let (_folder, db) = database();
    db.run("CREATE TABLE bookmarks (url TEXT); CREATE TABLE moz_places (id INTEGER PRIMARY KEY AUTOINCREMENT)");
    expect_refusal(&db, "it has tables (bookmarks, moz_places), and neither");

    let (_folder, db) = database();
    db.run("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)");
    expect_refusal(&db, "it has tables (users), and neither");

    let (_folder, db) = database();
    db.run("CREATE TABLE schema_migrations (version VARCHAR NOT NULL PRIMARY KEY)");
    expect_refusal(&db, "its table schema_migrations is another program's");
}

#[test]
fn tables_that_look_like_ours_can_be_stamped() {
    let (_folder, db) = database();
    db.run(MIGRATIONS[0].up);
    expect_refusal(&db, "`migrate stamp 0001_create_accounts`");
    block_on(crate::runner::stamp(&db, MIGRATIONS, 1, |_| {})).expect("it is believed");
    assert_eq!(block_on(versions::position(&db, MIGRATIONS)).ok(), Some(1));
    up(&db, MIGRATIONS, HEAD).expect("it runs");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let notes = "somebody's notes, longer than a header is. ".repeat(40);
    std::fs::write(folder.path().join("test.db"), &notes).expect("it can be written");
    let db = File::open(folder.path());
    assert!(matches!(up(&db, MIGRATIONS, HEAD), Err(Error::NotADatabase)));
    assert_eq!(std::fs::read_to_string(folder.path().join("test.db")).ok(), Some(notes));
}
