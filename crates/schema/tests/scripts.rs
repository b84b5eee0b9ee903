//! The scripts for single changes.

use lanterne_schema::{Error, Schema, Scripts, autogenerate};

/// The migration from one schema to another.
#[track_caller]
fn scripts(from: &str, to: &str) -> Scripts {
    let schema = |sql: &str| Schema::from_sql([("test", sql)]).expect("the test's own SQL");
    autogenerate(&schema(from), &schema(to)).expect("a migration").expect("a difference")
}

#[track_caller]
fn up(from: &str, to: &str) -> String {
    scripts(from, to).up.sql
}

/// Asserts that a script contains this comment, wrapped anywhere.
#[track_caller]
fn assert_comment(script: &str, words: &str) {
    let flat = script.replace("\n--", "");
    assert!(flat.contains(words), "{words:?} is not in\n{script}");
}

#[test]
fn schemas_that_mean_the_same_need_no_migration() {
    let one =
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL DEFAULT 'a', UNIQUE (email), CHECK (id > 0));
               CREATE INDEX ix ON users (email); CREATE TABLE schema_migrations (revision INTEGER);";
    let other = "create table \"Users\"(\n [id] integer primary key, -- the key\n `email` text not null default 'a',
                 check(id>0), unique(\"email\")); create index ix on users(email);";
    let schema = |sql: &str| Schema::from_sql([("test", sql)]).expect("the test's own SQL");
    assert!(autogenerate(&schema(one), &schema(other)).expect("no fault").is_none());
}

#[test]
fn a_new_table_is_created_and_dropped_with_its_indexes() {
    let table =
        "CREATE TABLE teams (\n    id INTEGER PRIMARY KEY -- the key\n);\nCREATE UNIQUE INDEX ix_teams ON teams (id);";
    let scripts = scripts("", table);
    let expected = "CREATE TABLE teams (\n    id INTEGER PRIMARY KEY -- the key\n);\n\nCREATE UNIQUE INDEX ix_teams ON teams (id);\n";
    assert_eq!(scripts.up.sql, expected);
    assert_eq!(scripts.down.sql, "DROP TABLE teams;\n");
}

#[test]
fn a_last_column_is_added_and_dropped_in_place() {
    let users = "CREATE TABLE users (id INTEGER PRIMARY KEY, a TEXT, CHECK (a <> ''));";
    let with = "CREATE TABLE users (id INTEGER PRIMARY KEY, a TEXT, last_seen DATETIME, CHECK (a <> ''));
                CREATE INDEX ix_seen ON users (last_seen);";
    let scripts = scripts(users, with);
    let expected = "ALTER TABLE users ADD COLUMN last_seen DATETIME;\n\nCREATE INDEX ix_seen ON users (last_seen);\n";
    assert_eq!(scripts.up.sql, expected);
    assert_eq!(scripts.down.sql, "DROP INDEX ix_seen;\n\nALTER TABLE users DROP COLUMN last_seen;\n");
}

#[test]
fn changes_that_alter_table_refuses_rebuild_the_table() {
    for column in [
        "b TEXT UNIQUE",
        "b DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP",
        "b INTEGER DEFAULT (1 + 1)",
        "b INTEGER DEFAULT 1 REFERENCES t (a)",
        "b INTEGER AS (a + 1) STORED",
        "b INTEGER NOT NULL",
        "b INTEGER NOT NULL DEFAULT NULL",
    ] {
        let written = up("CREATE TABLE t (a INTEGER)", &format!("CREATE TABLE t (a INTEGER, {column})"));
        assert!(written.contains("ALTER TABLE new_t RENAME TO t;") && !written.contains("ADD COLUMN"), "{written}");
    }
    for column in ["b TEXT", "b TEXT NOT NULL DEFAULT ''", "b INTEGER REFERENCES t (a)", "b INTEGER AS (a + 1)"] {
        let written = up("CREATE TABLE t (a INTEGER)", &format!("CREATE TABLE t (a INTEGER, {column})"));
        assert_eq!(written, format!("ALTER TABLE t ADD COLUMN {column};\n"));
    }
}

#[test]
fn a_rebuilt_table_keeps_rows_indexes_triggers_and_ids() {
    let rest = "CREATE INDEX ix ON users (email);
                CREATE VIEW mails AS SELECT email FROM users;
                CREATE VIEW many AS SELECT count(*) FROM mails;
                CREATE TABLE log (t TEXT);
                CREATE VIEW logged AS SELECT t FROM log;
                CREATE TRIGGER seen AFTER DELETE ON users BEGIN INSERT INTO log VALUES (old.email); END;";
    let users = |email: &str| format!("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, {email}); {rest}");
    let written = up(&users("email TEXT"), &users("email VARCHAR(255)"));
    let expected = "\
-- SQLite renames no table while a view or a trigger refers to a missing one: some are recreated.
DROP TRIGGER seen;
DROP VIEW mails;
DROP VIEW many;

-- users: rebuilt, since ALTER TABLE cannot make this change.
CREATE TABLE new_users (id INTEGER PRIMARY KEY AUTOINCREMENT, email VARCHAR(255));
-- Ids of deleted rows are not reused.
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_users', seq FROM sqlite_sequence WHERE name = 'users';
INSERT OR ABORT INTO new_users (id, email)
SELECT id, email
FROM users;
-- Fails if a row is missing.
CREATE TABLE migration_guard (holds INTEGER, CONSTRAINT \"users would lose or gain rows\" CHECK (holds));
INSERT INTO migration_guard
SELECT (SELECT count(*) FROM users) = (SELECT count(*) FROM new_users);
DROP TABLE migration_guard;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;

CREATE INDEX ix ON users (email);

CREATE VIEW mails AS SELECT email FROM users;
CREATE VIEW many AS SELECT count(*) FROM mails;

CREATE TRIGGER seen AFTER DELETE ON users BEGIN INSERT INTO log VALUES (old.email); END;
";
    assert_eq!(written, expected);
}

#[test]
fn a_required_value_without_default_is_asked_for() {
    let scripts = scripts("CREATE TABLE t (a INTEGER)", "CREATE TABLE t (a INTEGER, b TEXT NOT NULL)");
    assert_eq!(scripts.up.needs, ["what the rows get in t.b"]);
    assert_comment(&scripts.up.sql, "NEEDED: t.b is NOT NULL and has no default.");
    assert!(
        scripts.up.sql.contains("INSERT OR ABORT INTO new_t (a, b)\nSELECT a, NULL\nFROM t;"),
        "{}",
        scripts.up.sql
    );
    assert!(scripts.down.needs.is_empty());
    assert_eq!(scripts.down.sql, "ALTER TABLE t DROP COLUMN b;\n");
}

#[test]
fn null_becomes_the_default_of_a_not_null_column() {
    let written = up("CREATE TABLE t (a TEXT)", "CREATE TABLE t (a TEXT NOT NULL DEFAULT 'x')");
    assert!(written.contains("SELECT ifnull(a, 'x')"), "{written}");
    let written = up("CREATE TABLE t (a TEXT)", "CREATE TABLE t (a TEXT NOT NULL DEFAULT (1 + 1))");
    assert!(written.contains("SELECT ifnull(a, 1 + 1)"), "{written}");
    let written = up("CREATE TABLE t (a TEXT)", "CREATE TABLE t (a TEXT NOT NULL)");
    assert_comment(&written, "t.a becomes NOT NULL: rows with NULL make this fail.");
}

#[test]
fn a_possible_rename_is_only_suggested() {
    let written = up("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (b INT, c TEXT)");
    assert_comment(&written, "If c is the new name of a, write ALTER TABLE t RENAME COLUMN a TO c instead of");
    assert!(written.ends_with("ALTER TABLE t DROP COLUMN a;\nALTER TABLE t ADD COLUMN c TEXT;\n"), "{written}");
    let written = up("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (c TEXT, b INT)");
    assert_comment(&written, "add c to the columns after INSERT INTO, and a after SELECT");
    let written = up("CREATE TABLE t (a TEXT)", "CREATE TABLE s (a TEXT)");
    assert_comment(&written, "If s is the new name of t, write ALTER TABLE t RENAME TO s instead");
    let written = up("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (b INT, c DATE)");
    assert!(!written.contains("new name"), "{written}");
}

#[test]
fn names_that_need_quotes_are_quoted() {
    let written = up(
        "CREATE TABLE \"order\" (\"group\" TEXT, \"a \"\"b\" INT)",
        "CREATE TABLE \"order\" (\"group\" INT, \"a \"\"b\" INT)",
    );
    assert!(
        written.contains(
            "INSERT OR ABORT INTO new_order (\"group\", \"a \"\"b\")\nSELECT \"group\", \"a \"\"b\"\nFROM \"order\";"
        ),
        "{written}"
    );
    assert!(written.contains("ALTER TABLE new_order RENAME TO \"order\";"), "{written}");
}

#[test]
fn a_rebuilt_table_gets_a_free_temporary_name() {
    let new = "CREATE TABLE new_t (x);";
    let written = up(&format!("{new} CREATE TABLE t (a INT)"), &format!("{new} CREATE TABLE t (a TEXT)"));
    assert!(written.contains("ALTER TABLE new_t_2 RENAME TO t;"), "{written}");
}

#[test]
fn unsupported_schemas_are_reported() {
    let schema = |sql: &str| Schema::from_sql([("schema.sql", sql)]);
    let fault = schema("CREATE VIRTUAL TABLE v USING fts5(a)").err().expect("a fault");
    assert!(matches!(fault, Error::Unsupported(_)), "{fault}");
    let fault = schema("CREATE TABLE a (b);\nCREATE TABLE c (d e f,);").err().expect("a fault").to_string();
    assert!(fault.starts_with("schema.sql, line 2: near"), "{fault}");
    // RENAME fails while a view refers to a missing table.
    let view = "CREATE VIEW v AS SELECT 1 FROM nowhere;";
    let (from, to) = (format!("{view} CREATE TABLE t (a INT)"), format!("{view} CREATE TABLE t (a TEXT)"));
    let outcome = autogenerate(&schema(&from).expect("it is built"), &schema(&to).expect("it is built"));
    let fault = outcome.err().expect("a fault").to_string();
    assert!(fault.contains("by hand") && fault.contains("nowhere"), "{fault}");
}

#[test]
fn only_the_table_that_needs_it_is_rebuilt() {
    for (from, to) in [
        ("a INT, b INT, CHECK (b > 0)", "a INT, CHECK (a > 0)"),
        ("a INT, b INT, UNIQUE (a, b)", "a INT"),
        ("a INT, b INT, c INT AS (b + 1)", "a INT, c INT AS (1 + 1)"),
        ("a INT, b INT REFERENCES t (a)", "a INT"),
        ("a INT, CHECK (a > 0)", "a INT, b INT"),
        ("a INT", "a INT, b INT) STRICT; --"),
    ] {
        let schema = |columns: &str, more: &str| format!("CREATE TABLE t ({columns}\n); CREATE TABLE s (x INT{more});");
        let (from, to) = (schema(from, ""), schema(to, ", y INT").replace("--\n);", "\n"));
        let written = up(&from, &to);
        assert!(written.contains("ALTER TABLE new_t RENAME TO t;"), "{written}");
        assert!(written.contains("ALTER TABLE s ADD COLUMN y INT;"), "{written}");
    }
    let rest = "CREATE VIEW v AS SELECT a, b FROM t; CREATE TABLE s (x INT";
    let (from, to) =
        (format!("CREATE TABLE t (a INT, b INT); {rest})"), format!("CREATE TABLE t (a INT); {rest}, y INT)"));
    let written = up(&from, &to);
    assert!(written.contains("DROP VIEW v;") && written.contains("CREATE VIEW v"), "{written}");
    assert!(written.contains("ALTER TABLE s ADD COLUMN y INT;"), "{written}");
}

#[test]
fn a_comment_at_the_end_does_not_hide_the_semicolon() {
    let written = up("", "CREATE TABLE t (a INT);\nCREATE VIEW v AS SELECT a FROM t -- all of it\n;");
    assert!(written.ends_with("CREATE VIEW v AS SELECT a FROM t;\n"), "{written}");
}
