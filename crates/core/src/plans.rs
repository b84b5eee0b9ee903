//! How SQLite would run the statements: those that every request needs, and those of lists, by an index.

use std::sync::Mutex;

use futures_lite::future::block_on;

use crate::{audit, sessions, users};
use lanterne_database::Timestamp;
use lanterne_database::{self as db, Connection, Row, Value};

/// A database with the schema that asks for plans instead of rows.
struct Planner {
    db: Mutex<rusqlite::Connection>,
    plan: Mutex<Vec<String>>,
}

impl Planner {
    fn new() -> Self {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../../migrations/schema.sql")).unwrap();
        Self { db: Mutex::new(db), plan: Mutex::default() }
    }

    /// The steps of all statements that `work` has run.
    fn plan<T>(&self, work: impl Future<Output = Result<T, db::Error>>) -> Vec<String> {
        // It finds no rows, which may be a fault to it.
        let _ = block_on(work);
        std::mem::take(&mut self.plan.lock().unwrap())
    }
}

impl Connection for Planner {
    async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        let db = self.db.lock().unwrap();
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        assert_eq!(statement.parameter_count(), params.len(), "{sql}");
        let steps = statement.query_map(rusqlite::params_from_iter(vec![1; params.len()]), |row| row.get(3)).unwrap();
        self.plan.lock().unwrap().extend(steps.map(Result::unwrap));
        Ok(Vec::new())
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

/// Fails the test if a step reads a whole table, or sorts.
#[track_caller]
fn expect_indexed(what: &str, plan: Vec<String>) {
    assert!(!plan.is_empty(), "{what}");
    let is_slow = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
    assert!(!plan.iter().any(is_slow), "{what}: {plan:#?}");
}

#[test]
fn what_every_request_asks_is_answered_by_indexes() {
    let db = Planner::new();
    expect_indexed("whose valid session", db.plan(users::find_with_session(&db, 1, "jti", now())));
    expect_indexed("refresh", db.plan(sessions::take(&db, 1, "jti", now(), now())));
    expect_indexed("refresh again", db.plan(sessions::find_spent(&db, 1, "jti")));
    expect_indexed("login", db.plan(users::find_by_email(&db, "user@example.com")));
    expect_indexed("end", db.plan(sessions::end(&db, 1, 1, now())));
    expect_indexed("end all", db.plan(sessions::end_all(&db, 1, None)));
    expect_indexed("delete sessions", db.plan(sessions::delete_all(&db, 1)));
    expect_indexed("last administrator", db.plan(users::has_other_active_admin(&db, 1)));
}

#[test]
fn the_sessions_of_an_account_are_found_by_index_and_sorted() {
    let db = Planner::new();
    let plan = db.plan(sessions::list(&db, 1, now()));
    assert_eq!(
        plan,
        [
            "SEARCH sessions USING INDEX ix_sessions_user_id_is_valid (user_id=? AND is_valid=?)",
            "USE TEMP B-TREE FOR ORDER BY"
        ]
    );
}

#[test]
fn lists_come_in_the_order_of_an_index() {
    let db = Planner::new();
    let users = |is_active, is_admin| users::Filters { email_part: None, is_active, is_admin };
    for filters in [users(Some(true), None), users(None, Some(false)), users(Some(true), Some(true))] {
        expect_indexed("page", db.plan(users::page(&db, &filters, 50, 0)));
        expect_indexed("count", db.plan(users::count(&db, &filters)));
    }
    let lines = audit::Filters { user_id: Some(1), before: Some(9), ..audit::Filters::default() };
    expect_indexed("by account", db.plan(audit::page(&db, &lines, 50)));
    let lines = audit::Filters { action: Some("login".to_owned()), since: Some(now()), ..audit::Filters::default() };
    expect_indexed("by action", db.plan(audit::page(&db, &lines, 50)));
}

#[test]
fn lists_that_read_the_table_do_so_in_order() {
    let db = Planner::new();
    let everybody = users::Filters::default();
    assert_eq!(db.plan(users::page(&db, &everybody, 50, 0)), ["SCAN users"]);
    let some = users::Filters { email_part: Some("x".to_owned()), ..everybody };
    assert_eq!(db.plan(users::page(&db, &some, 50, 0)), ["SCAN users"]);
    // Of an index there is less to read than of the table.
    assert_eq!(db.plan(users::count(&db, &some)), ["SCAN users USING COVERING INDEX ix_users_email"]);
    let lines = audit::Filters { since: Some(now()), until: Some(now()), ..audit::Filters::default() };
    assert_eq!(db.plan(audit::page(&db, &lines, 50)), ["SCAN audit_logs"]);
}
