use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::ready;
use std::time::Duration;

use futures_lite::future::block_on;

use super::{Driver, Place, REPETITIONS_MAX, Reconnecting};
use crate::{BoxFuture, Connection, Error, Row, Value, transaction};

const EXPIRED: &str =
    r#"status=400, body={"message":"The stream has expired due to inactivity","code":"STREAM_EXPIRED"}"#;
const BUSY: &str = "SQLite error: database is locked";
const UNSUPPORTED: &str = "SQL string could not be parsed: unsupported statement: PRAGMA busy_timeout = 60000";

/// A database that fails like a libSQL server. A real server cannot be made to fail at a given statement.
#[derive(Default)]
struct Server {
    /// The outcomes of the next statements; then all succeed.
    errors: RefCell<VecDeque<Option<&'static str>>>,
    opened: Cell<usize>,
    /// The statements, each with the number of its connection.
    log: RefCell<Vec<String>>,
}

impl Driver for &Server {
    type Connection = usize;

    fn open(&self) -> BoxFuture<'_, Result<usize, Error>> {
        self.opened.set(self.opened.get() + 1);
        Box::pin(ready(Ok(self.opened.get())))
    }

    fn execute<'a>(
        &'a self,
        connection: &'a usize,
        sql: &'a str,
        _: Vec<Value>,
    ) -> BoxFuture<'a, Result<Vec<Row>, Error>> {
        self.log.borrow_mut().push(format!("{connection} {sql}"));
        let error = self.errors.borrow_mut().pop_front().flatten();
        Box::pin(ready(error.map_or(Ok(Vec::new()), |error| Err(Error::Host(error.to_owned())))))
    }

    fn pause(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

impl Server {
    fn failing(errors: &[Option<&'static str>]) -> Self {
        Self { errors: RefCell::new(errors.iter().copied().collect()), ..Self::default() }
    }

    fn connect(&self, place: Place) -> Reconnecting<&Self> {
        Reconnecting::new(self, place, Duration::from_secs(60))
    }

    fn log(&self) -> Vec<String> {
        self.log.take()
    }
}

fn run(db: &dyn Connection, sql: &str) -> Result<(), Error> {
    block_on(db.execute(sql, vec![]))
}

/// Runs a transaction of two statements.
fn run_transaction(db: &dyn Connection) -> Result<(), Error> {
    block_on(transaction(db, async {
        db.execute("A", vec![]).await?;
        db.execute("B", vec![]).await
    }))
}

#[test]
fn a_file_gets_its_settings() {
    let server = Server::default();
    let db = server.connect(Place::Unknown);
    run(&db, "A").unwrap();
    run(&db, "B").unwrap();
    assert_eq!(server.log(), ["1 PRAGMA busy_timeout = 60000", "1 PRAGMA foreign_keys = ON", "1 A", "1 B"]);
    assert!(db.is_file());
}

#[test]
fn a_server_is_recognized_once_and_gets_no_settings() {
    let server = Server::failing(&[Some(UNSUPPORTED)]);
    let db = server.connect(Place::Unknown);
    run(&db, "A").unwrap();
    assert_eq!(server.log(), ["1 PRAGMA busy_timeout = 60000", "2 A"]);
    assert!(!db.is_file());
    let next = server.connect(db.place());
    run(&next, "B").unwrap();
    assert_eq!(server.log(), ["3 B"]);
}

#[test]
fn nothing_is_repeated_on_a_file() {
    let server = Server::failing(&[None, None, Some(BUSY)]);
    assert!(run(&server.connect(Place::Unknown), "A").is_err());
}

#[test]
fn a_statement_that_a_server_has_not_done_is_repeated() {
    let server = Server::failing(&[Some(BUSY), Some(EXPIRED), None]);
    let db = server.connect(Place::Server);
    run(&db, "A").unwrap();
    assert_eq!(server.log(), ["1 A", "1 A", "2 A"]);
}

#[test]
fn a_statement_that_may_have_been_done_is_not_repeated() {
    let server = Server::failing(&[Some("connection closed before message completed")]);
    assert!(run(&server.connect(Place::Server), "A").is_err());
    assert_eq!(server.log(), ["1 A"]);
}

#[test]
fn repetitions_end() {
    let times = 1 + REPETITIONS_MAX as usize;
    let server = Server::failing(&vec![Some(BUSY); times]);
    assert!(run(&server.connect(Place::Server), "A").is_err());
    assert_eq!(server.log().len(), times);
}

#[test]
fn a_transaction_that_has_done_nothing_begins_anew() {
    let server = Server::failing(&[Some(BUSY), None, Some(EXPIRED)]);
    run_transaction(&server.connect(Place::Server)).unwrap();
    assert_eq!(
        server.log(),
        ["1 BEGIN IMMEDIATE", "1 BEGIN IMMEDIATE", "1 A", "2 BEGIN IMMEDIATE", "2 A", "2 B", "2 COMMIT"]
    );
}

#[test]
fn a_transaction_that_has_done_something_fails() {
    for outcomes in [[None, None, Some(EXPIRED), None], [None, None, None, Some(EXPIRED)]] {
        let server = Server::failing(&outcomes);
        let mut db = server.connect(Place::Server);
        run_transaction(&db).unwrap_err();
        assert!(!server.log().iter().any(|line| line.starts_with('2')));
        assert_eq!(db.take_idle(), None);
    }
}

#[test]
fn only_a_connection_without_transaction_and_failure_is_kept() {
    let server = Server::default();
    let mut db = server.connect(Place::Server);
    run_transaction(&db).unwrap();
    assert_eq!(db.take_idle(), Some(1));
    run(&db, "BEGIN IMMEDIATE").unwrap();
    assert_eq!(db.take_idle(), None);
}
