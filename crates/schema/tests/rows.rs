//! What single migrations do to rows: they keep every value, or fail and change nothing.

use lanterne_schema::{Schema, autogenerate};
use rusqlite::Connection;
use rusqlite::types::Value;

/// The database after a migration that was tried on rows.
struct Migrated {
    db: Connection,
    outcome: Result<(), String>,
}

impl Migrated {
    /// Fills the schema `from` with `rows`, and runs the generated migration to the schema `to` as `migrate` does.
    #[track_caller]
    fn new(from: &str, rows: &str, to: &str) -> Self {
        let schema = |sql: &str| Schema::from_sql([("test", sql)]).expect("the test's own SQL");
        let scripts = autogenerate(&schema(from), &schema(to)).expect("a migration").expect("a difference");
        let db = Connection::open_in_memory().expect("memory");
        db.pragma_update(None, "foreign_keys", false).expect("a new connection takes settings");
        db.execute_batch(&format!("{from};{rows}")).expect("the test's own SQL");
        let transaction = db.unchecked_transaction().expect("a transaction");
        let outcome = transaction.execute_batch(&scripts.up.sql).and_then(|()| transaction.commit());
        Self { db, outcome: outcome.map_err(|error| format!("{error}\n{}", scripts.up.sql)) }
    }

    fn rows(&self, sql: &str) -> String {
        let mut statement = self.db.prepare(sql).expect("a query");
        let width = statement.column_count();
        let cell = |value: Value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => format!("{number:?}"),
            Value::Text(text) => format!("'{text}'"),
            Value::Blob(bytes) => format!("{bytes:?}"),
        };
        let row = |row: &rusqlite::Row<'_>| {
            (0..width).map(|at| row.get(at).map(cell)).collect::<rusqlite::Result<Vec<_>>>().map(|row| row.join(" "))
        };
        let rows = statement.query_map([], row).and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
        rows.expect("rows").join(", ")
    }
}

/// Asserts what a query returns after the migration.
#[track_caller]
fn assert_migrates(from: &str, rows: &str, to: &str, query: &str, result: &str) {
    let migrated = Migrated::new(from, rows, to);
    assert_eq!(migrated.outcome, Ok(()));
    assert_eq!(migrated.rows(query), result);
}

/// Asserts that the migration fails with `fault`, and that the table `t` is what it was.
#[track_caller]
fn assert_refused(from: &str, rows: &str, to: &str, fault: &str) {
    let migrated = Migrated::new(from, rows, to);
    assert!(
        migrated.outcome.as_ref().is_err_and(|message| message.contains(fault)),
        "{from} to {to}: {:?}",
        migrated.outcome
    );
    let filled = Connection::open_in_memory().expect("memory");
    filled.execute_batch(&format!("{from};{rows}")).expect("the test's own SQL");
    let before = Migrated { db: filled, outcome: Ok(()) };
    for query in ["SELECT name, sql FROM sqlite_schema", "SELECT * FROM t"] {
        assert_eq!(migrated.rows(query), before.rows(query));
    }
}

#[test]
fn no_conflict_clause_drops_or_replaces_rows() {
    let three = "INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, NULL)";
    for (definition, fault) in [
        ("b TEXT UNIQUE ON CONFLICT REPLACE", "UNIQUE constraint failed: new_t.b"),
        ("b TEXT UNIQUE ON CONFLICT IGNORE", "UNIQUE constraint failed: new_t.b"),
        ("b TEXT, UNIQUE (b) ON CONFLICT REPLACE", "UNIQUE constraint failed: new_t.b"),
        ("b TEXT PRIMARY KEY ON CONFLICT IGNORE", "UNIQUE constraint failed: new_t.b"),
        ("b TEXT NOT NULL ON CONFLICT IGNORE", "NOT NULL constraint failed: new_t.b"),
        ("b TEXT NOT NULL ON CONFLICT REPLACE", "NOT NULL constraint failed: new_t.b"),
        ("b TEXT, c TEXT NOT NULL ON CONFLICT IGNORE", "NOT NULL constraint failed: new_t.c"),
        ("b TEXT, CHECK (b <> 'x') ON CONFLICT IGNORE", "CHECK constraint failed: b <> 'x'"),
    ] {
        assert_refused(
            "CREATE TABLE t (a INT, b TEXT)",
            three,
            &format!("CREATE TABLE t (a INT, {definition})"),
            fault,
        );
    }
}

#[test]
fn no_collation_merges_unique_values() {
    let rows = "INSERT INTO t VALUES ('a', 1), ('A', 2)";
    let from = "CREATE TABLE t (a TEXT UNIQUE, b INT)";
    assert_refused(from, rows, "CREATE TABLE t (a TEXT UNIQUE COLLATE NOCASE, b INT)", "UNIQUE constraint failed");
    let (from, to) = ("CREATE TABLE t (a TEXT, b INT)", "CREATE UNIQUE INDEX i ON t (a COLLATE NOCASE)");
    assert_refused(from, rows, &format!("{from}; {to}"), "UNIQUE constraint failed");
}

#[test]
fn a_type_converts_values_only_without_a_loss() {
    for (from, value, to, result) in [
        ("TEXT", "'7'", "INTEGER", "7"),
        ("TEXT", "'seven'", "INTEGER", "'seven'"),
        ("TEXT", "'7'", "REAL", "7.0"),
        ("TEXT", "'1.5'", "NUMERIC", "1.5"),
        ("TEXT", "'007'", "BLOB", "'007'"),
        ("INTEGER", "7", "VARCHAR(20)", "'7'"),
        ("REAL", "7", "INTEGER", "7"),
        ("REAL", "1.5", "TEXT", "'1.5'"),
        ("REAL", "0.1 + 0.2", "TEXT", "'0.30000000000000004'"),
        ("INTEGER", "9007199254740993", "TEXT", "'9007199254740993'"),
        ("INTEGER", "NULL", "TEXT", "NULL"),
        ("", "x'31'", "TEXT", "[49]"),
    ] {
        let (from, to) = (format!("CREATE TABLE t (a {from})"), format!("CREATE TABLE t (a {to})"));
        assert_migrates(&from, &format!("INSERT INTO t VALUES ({value})"), &to, "SELECT a FROM t", result);
    }
    for (from, value, to) in [
        ("TEXT", "'007'", "INTEGER"),
        ("TEXT", "' 7'", "INTEGER"),
        ("TEXT", "'1.50'", "REAL"),
        ("TEXT", "'1e3'", "DATETIME"),
        ("", "'007'", "INTEGER"),
        ("INTEGER", "9007199254740993", "REAL"),
        ("REAL", "1e999", "TEXT"),
    ] {
        let (from, to) = (format!("CREATE TABLE t (a {from})"), format!("CREATE TABLE t (a {to})"));
        let fault = "CHECK constraint failed: a value of t.a would change with its type";
        assert_refused(&from, &format!("INSERT INTO t VALUES ({value})"), &to, fault);
    }
}

#[test]
fn strict_tables_refuse_other_types() {
    let (from, row) = ("CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES ('seven')");
    assert_refused(from, row, "CREATE TABLE t (a INTEGER) STRICT", "cannot store TEXT value in INTEGER column new_t.a");
    let (from, row) = ("CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('007')");
    assert_refused(from, row, "CREATE TABLE t (a INT) STRICT", "a value of t.a would change with its type");
    assert_migrates(from, row, "CREATE TABLE t (a ANY) STRICT", "SELECT a FROM t", "'007'");
}

#[test]
fn rows_without_a_key_get_none_invented() {
    let rows = "INSERT INTO t VALUES (NULL, 1), (NULL, 2)";
    for from in ["CREATE TABLE t (a INT PRIMARY KEY, b)", "CREATE TABLE t (a INTEGER PRIMARY KEY DESC, b)"] {
        assert_refused(from, rows, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)", "CHECK constraint failed: t.a is NULL");
        let fault = "NOT NULL constraint failed: new_t.a";
        assert_refused(from, rows, "CREATE TABLE t (a INT PRIMARY KEY, b) WITHOUT ROWID", fault);
    }
}

#[test]
fn a_generated_column_replaces_only_equal_values() {
    let (from, to) = ("CREATE TABLE t (a INT, b TEXT, c INT)", "CREATE TABLE t (a INT, b TEXT AS (lower('X')), c INT)");
    assert_migrates(from, "INSERT INTO t VALUES (1, 'x', 2)", to, "SELECT * FROM t", "1 'x' 2");
    let fault = "t.b would be replaced by computed values";
    assert_refused(from, "INSERT INTO t VALUES (1, 'X', 2)", to, fault);
    assert_refused(from, "INSERT INTO t VALUES (1, NULL, 2)", to, fault);
    let from = "CREATE TABLE t (a INT, b TEXT COLLATE NOCASE, c INT)";
    assert_refused(from, "INSERT INTO t VALUES (1, 'X', 2)", to, fault);
}

#[test]
fn a_default_is_no_column_of_that_name() {
    let from = "CREATE TABLE t (email TEXT, a TEXT)";
    let rows = "INSERT INTO t VALUES ('user@example.com', NULL)";
    for (default, value) in [
        ("\"email\"", "'email'"),
        ("[email]", "'email'"),
        ("email", "'email'"),
        ("Draft", "'Draft'"),
        ("'it''s'", "'it's'"),
    ] {
        let to = format!("CREATE TABLE t (email TEXT, a TEXT NOT NULL DEFAULT {default})");
        assert_migrates(from, rows, &to, "SELECT a FROM t", value);
    }
}

#[test]
fn a_change_of_letters_in_a_string_is_a_change() {
    for (from, to) in [
        ("a TEXT DEFAULT \"Draft\"", "a TEXT DEFAULT \"draft\""),
        ("a TEXT DEFAULT Draft", "a TEXT DEFAULT draft"),
        ("a TEXT CHECK (a <> \"Draft\")", "a TEXT CHECK (a <> \"draft\")"),
    ] {
        let (from, to) = (format!("CREATE TABLE t ({from})"), format!("CREATE TABLE t ({to})"));
        assert_migrates(&from, "INSERT INTO t VALUES ('x')", &to, "SELECT a FROM t", "'x'");
    }
}

#[test]
fn what_may_be_a_rename_keeps_its_values() {
    for (from, to, fault) in [
        ("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (b INT, c TEXT)", "t.a may have been renamed"),
        ("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (c TEXT, b INT)", "t.a may have been renamed"),
        ("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE s (a TEXT, b INT)", "t may have been renamed"),
        ("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (c BLOB)", "t would lose or gain rows"),
    ] {
        assert_refused(from, "INSERT INTO t VALUES ('x', 1)", to, fault);
        assert_eq!(Migrated::new(from, "", to).outcome, Ok(()));
    }
    let (from, to) = ("CREATE TABLE t (a TEXT, b INT)", "CREATE TABLE t (b INT, c TEXT)");
    assert_migrates(from, "INSERT INTO t VALUES (NULL, 1)", to, "SELECT * FROM t", "1 NULL");
}

#[test]
fn a_rebuild_fires_no_trigger_and_cascades_to_no_row() {
    let rest = "CREATE TABLE child (id INTEGER PRIMARY KEY, t INT REFERENCES t (id) ON DELETE CASCADE);
                CREATE TABLE log (event TEXT);
                CREATE TRIGGER gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('gone'); END;
                CREATE TRIGGER made AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('made'); END;";
    let from = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); {rest}");
    let to = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE); {rest}");
    let rows = "INSERT INTO t VALUES (1, 'x'); INSERT INTO child VALUES (1, 1); DELETE FROM log";
    let query = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM child), (SELECT count(*) FROM log)";
    assert_migrates(&from, rows, &to, query, "1 1 0");
}

#[test]
fn ids_of_deleted_rows_stay_unused() {
    let table = |a: &str| format!("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a {a})");
    for rows in [
        "INSERT INTO t VALUES (1, 'x'), (9, 'y'); DELETE FROM t WHERE id = 9",
        "INSERT INTO t VALUES (9, 'x'); DELETE FROM t",
    ] {
        let migrated = Migrated::new(&table("TEXT"), rows, &table("TEXT UNIQUE"));
        assert_eq!(migrated.outcome, Ok(()));
        assert_eq!(migrated.rows("INSERT INTO t (a) VALUES ('z') RETURNING id"), "10");
    }
}

#[test]
fn a_new_check_applies_to_the_default_in_existing_rows() {
    let to = "CREATE TABLE t (a INT, b INT DEFAULT 0 CHECK (b > 0))";
    assert_refused("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)", to, "CHECK constraint failed");
}
