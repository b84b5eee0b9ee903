//! What a guest's statements may take, and what they wait for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// Ends when somebody ends it.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
/// Takes many times as long as `HASTY` allows.
const LONG: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT count(*) FROM n";
const HASTY: Limits = Limits { wait: Duration::from_millis(1), run: Some(Duration::from_millis(1)) };

fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    (folder, path)
}

/// Runs the statements one after the other: the integers that the last one gave, or why one failed.
fn run(connection: &Connection, statements: &[&str]) -> Result<Vec<i64>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut values = Vec::new();
    for statement in statements {
        let outcome = runtime.block_on(connection.execute((*statement).to_owned(), Vec::new()));
        outcome.result.map_err(|error| match error {
            Error::Io(message) => message,
            error => format!("{error:?}"),
        })?;
        let integer = |value| if let Value::Integer(integer) = value { Some(integer) } else { None };
        values = outcome.rows.into_iter().flat_map(|row| row.values).filter_map(integer).collect();
    }
    Ok(values)
}

fn open(path: &Path, limits: Limits) -> Connection {
    Database::new(path).open(limits).unwrap()
}

#[test]
fn a_request_has_limits_and_a_command_has_time() {
    assert!(Limits::REQUEST.run.is_some_and(|limit| limit < Duration::from_secs(60)), "before the request itself ends");
    assert!(Limits::COMMAND.run.is_none() && Limits::COMMAND.wait > Limits::REQUEST.wait);
}

#[test]
fn a_statement_that_runs_for_too_long_is_interrupted_and_the_connection_goes_on() {
    let (_folder, path) = file();
    let db = open(&path, HASTY);
    assert_eq!(run(&db, &[ENDLESS]), Err("interrupted".to_owned()));
    assert_eq!(run(&db, &["SELECT 1"]), Ok(vec![1]));
}

#[test]
fn without_a_limit_a_statement_takes_as_long_as_it_takes() {
    let (_folder, path) = file();
    assert_eq!(run(&open(&path, HASTY), &[LONG]), Err("interrupted".to_owned()));
    let db = open(&path, Limits { run: None, ..HASTY });
    assert_eq!(run(&db, &[LONG]), Ok(vec![2_000_000]));
}

#[test]
fn a_writer_waits_as_long_as_its_limits_say_whoever_holds_the_lock() {
    let (_folder, path) = file();
    let here = Database::new(&path);
    let holder = here.open(Limits::COMMAND).unwrap();
    run(&holder, &["CREATE TABLE t (a)"]).unwrap();
    // For its turn in this process, and for SQLite's lock like another process.
    let (same, another) = (|| here.clone(), || Database::new(&path));
    for database in [&same as &dyn Fn() -> Database, &another] {
        let (patient, hasty) = (database().open(Limits::COMMAND).unwrap(), database().open(HASTY).unwrap());
        run(&holder, &["BEGIN IMMEDIATE"]).unwrap();
        std::thread::scope(|scope| {
            let patient = scope.spawn(|| run(&patient, &["INSERT INTO t VALUES (1)"]));
            // It should be the first to wait; were both as hasty, it would be the first to give up.
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(run(&hasty, &["INSERT INTO t VALUES (1)"]), Err("database is locked".to_owned()));
            assert!(!patient.is_finished(), "the lock is still held");
            run(&holder, &["ROLLBACK"]).unwrap();
            assert_eq!(patient.join().unwrap(), Ok(vec![]));
        });
    }
}

#[test]
fn a_guest_does_not_choose_how_long_it_waits() {
    let (_folder, path) = file();
    let db = open(&path, HASTY);
    run(&db, &["PRAGMA busy_timeout = 60000", "PRAGMA Busy_Timeout(60000)"]).unwrap();
    assert_eq!(run(&db, &["PRAGMA busy_timeout"]), Ok(vec![0]));
}
