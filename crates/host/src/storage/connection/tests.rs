//! Time limits of statements, and waiting for locks.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::StatementStatus;
use tempfile::TempDir;

use super::*;
use crate::storage::Database;

/// Runs until it is interrupted.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
/// Takes much longer than `HASTY` allows.
const LONG: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT count(*) FROM n";
/// Takes longer than a read may on its thread, and returns rows all the time.
const LONG_LIST: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n";
const HASTY: Limits =
    Limits { wait: Duration::from_millis(1), store_wait: Duration::ZERO, run: Some(Duration::from_millis(1)) };

fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

/// Runs the statements in order; returns the integers of the last one's rows, or the first error.
fn run(connection: &Connection, statements: &[&str]) -> Result<Vec<i64>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut values = Vec::new();
    for statement in statements {
        let outcome = runtime.block_on(connection.clone().execute((*statement).to_owned(), Vec::new()));
        if let Some(error) = outcome.error {
            return Err(error.to_string());
        }
        let integer = |value| if let Value::Integer(integer) = value { Some(integer) } else { None };
        values = outcome.rows.into_iter().flat_map(|row| row.values).filter_map(integer).collect();
    }
    Ok(values)
}

fn open(path: &Path, limits: Limits) -> Connection {
    Database::new(path).open(limits).unwrap()
}

#[test]
fn a_request_has_stricter_limits_than_a_command() {
    assert!(Limits::REQUEST.run.is_some_and(|limit| limit < Duration::from_secs(60)), "before the request itself ends");
    assert!(Limits::COMMAND.run.is_none() && Limits::COMMAND.wait > Limits::REQUEST.wait);
}

#[test]
fn a_statement_over_its_limit_is_interrupted() {
    let (_folder, path) = file();
    let db = open(&path, HASTY);
    assert_eq!(run(&db, &[ENDLESS]), Err("interrupted".to_owned()));
    assert_eq!(run(&db, &["SELECT 1"]), Ok(vec![1]));
}

#[test]
fn a_statement_without_limit_runs_to_completion() {
    let (_folder, path) = file();
    assert_eq!(run(&open(&path, HASTY), &[LONG]), Err("interrupted".to_owned()));
    let db = open(&path, Limits { run: None, ..HASTY });
    assert_eq!(run(&db, &[LONG]), Ok(vec![2_000_000]));
}

/// Runs a statement on a thread with another task. Returns the outcome, and whether the other task had to wait for it.
fn run_beside_another_task(db: &Connection, statement: &str) -> (Outcome, bool) {
    let has_ended = Cell::new(false);
    let statement = async {
        let outcome = db.clone().execute(statement.to_owned(), Vec::new()).await;
        has_ended.set(true);
        outcome
    };
    let other = async { has_ended.get() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::join!(biased; statement, other) })
}

#[test]
fn a_long_read_leaves_its_thread_to_others() {
    let (_folder, path) = file();
    let db = open(&path, Limits::REQUEST);
    let (outcome, other_had_to_wait) = run_beside_another_task(&db, LONG_LIST);
    assert!(outcome.error.is_none() && !other_had_to_wait);
    assert_eq!(outcome.rows.len(), 50_000, "the rows of the first attempt have been discarded");
}

#[test]
fn a_write_in_a_transaction_leaves_its_thread_to_others() {
    let (_folder, path) = file();
    let db = open(&path, Limits::REQUEST);
    run(&db, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE"]).unwrap();
    let (outcome, other_had_to_wait) = run_beside_another_task(&db, "INSERT INTO t VALUES (1)");
    assert!(outcome.error.is_none() && !other_had_to_wait);
}

#[test]
fn only_reads_can_be_repeated() {
    let (_folder, path) = file();
    let db = open(&path, Limits::REQUEST);
    run(&db, &["CREATE TABLE t (a)"]).unwrap();
    let access = |statement| db.state.try_lock().unwrap().access(statement).unwrap();
    assert_eq!(access("SELECT a FROM t"), Access::Read);
    for statement in ["INSERT INTO t VALUES (1) RETURNING a", "CREATE TABLE u (a)", "BEGIN IMMEDIATE"] {
        assert_eq!(access(statement), Access::Write, "{statement}");
    }
    for statement in ["BEGIN", "SAVEPOINT s", "COMMIT", "ROLLBACK"] {
        assert_eq!(access(statement), Access::Control, "{statement}");
    }
}

#[test]
fn a_long_read_keeps_its_transaction() {
    let (_folder, path) = file();
    let db = open(&path, Limits::REQUEST);
    let statements = ["CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", LONG, "COMMIT"];
    assert_eq!(run(&db, &statements), Ok(vec![]));
    assert_eq!(run(&db, &["SELECT a FROM t"]), Ok(vec![1]));
}

#[test]
fn a_long_write_is_not_cut_into_slices() {
    let (_folder, path) = file();
    let db = open(&path, Limits::REQUEST);
    let insert = format!("INSERT INTO t {LONG}");
    assert_eq!(run(&db, &["CREATE TABLE t (a)", "BEGIN IMMEDIATE", &insert, "COMMIT"]), Ok(vec![]));
    assert_eq!(run(&db, &["SELECT a FROM t"]), Ok(vec![2_000_000]));
}

#[test]
fn a_statement_is_prepared_once() {
    // SQLite would look whether the value of a parameter allows the use of the index.
    const PARTIAL_INDEX: &str = "CREATE INDEX i ON t (a) WHERE b = 1";
    const SELECT: &str = "SELECT a FROM t WHERE a = ?1 AND b = ?2";
    let (_folder, path) = file();
    let db = open(&path, Limits::REQUEST);
    run(&db, &["CREATE TABLE t (a, b)", PARTIAL_INDEX]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for b in 1..4 {
        let outcome =
            runtime.block_on(db.clone().execute(SELECT.to_owned(), vec![Value::Integer(1), Value::Integer(b)]));
        assert!(outcome.error.is_none());
    }
    let state = db.state.try_lock().unwrap();
    let statement = state.sqlite.as_ref().unwrap().prepare_cached(SELECT).unwrap();
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    assert_eq!(statement.get_status(StatementStatus::Run), 3);
}

#[test]
fn a_writer_waits_as_long_as_its_limit_allows() {
    let (_folder, path) = file();
    let here = Database::new(&path);
    let holder = here.open(Limits::COMMAND).unwrap();
    run(&holder, &["CREATE TABLE t (a)"]).unwrap();
    // Once against the lock of this process, once against SQLite's lock, as another process would.
    let (same, another) = (|| here.clone(), || Database::new(&path));
    for database in [&same as &dyn Fn() -> Database, &another] {
        let (patient, hasty) = (database().open(Limits::COMMAND).unwrap(), database().open(HASTY).unwrap());
        run(&holder, &["BEGIN IMMEDIATE"]).unwrap();
        std::thread::scope(|scope| {
            let patient = scope.spawn(|| run(&patient, &["INSERT INTO t VALUES (1)"]));
            // The patient writer waits first, so that with equal limits it would give up first.
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(run(&hasty, &["INSERT INTO t VALUES (1)"]), Err("database is locked".to_owned()));
            assert!(!patient.is_finished(), "the lock is still held");
            run(&holder, &["ROLLBACK"]).unwrap();
            assert_eq!(patient.join().unwrap(), Ok(vec![]));
        });
    }
}

#[test]
fn pragma_busy_timeout_has_no_effect() {
    let (_folder, path) = file();
    let db = open(&path, HASTY);
    run(&db, &["PRAGMA busy_timeout = 60000", "PRAGMA Busy_Timeout(60000)"]).unwrap();
    assert_eq!(run(&db, &["PRAGMA busy_timeout"]), Ok(vec![0]));
}
