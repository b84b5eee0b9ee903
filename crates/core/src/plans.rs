//! Query plans: statements of every request and of lists use an index.

use std::cell::RefCell;
use std::future::ready;
use std::time::Duration;

use futures_lite::future::block_on;
use lanterne_database::{BoxFuture, Connection, Error, Row, SqliteFile, Timestamp, Value};

use crate::client::Client;
use crate::email::EmailPart;
use crate::one_time_tokens::{self, Purpose};
use crate::outbox::{self, Kind};
use crate::secret::Secret;
use crate::throttle::Attempt;
use crate::token_pairs::{Checked, Exchange, NewTokens, Spent};
use crate::{audit, sessions, token_pairs, users};

/// A database that explains statements instead of running them.
struct Planner {
    db: SqliteFile,
    plan: RefCell<Vec<String>>,
}

impl Planner {
    fn new() -> Self {
        let db = SqliteFile::in_memory().unwrap();
        db.with(|db| db.execute_batch(include_str!("../../../migrations/schema.sql"))).unwrap();
        Self { db, plan: RefCell::default() }
    }

    /// Returns the plan of all statements that `work` runs.
    fn plan<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Vec<String> {
        // It gets no rows, which it may treat as an error.
        let _ = block_on(work);
        self.plan.take()
    }
}

impl Connection for Planner {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, Error>> {
        let steps = self.db.query_now(&format!("EXPLAIN QUERY PLAN {sql}"), params).unwrap();
        self.plan.borrow_mut().extend(steps.iter().map(|step| step.get::<String>(3).unwrap()));
        Box::pin(ready(Ok(Vec::new())))
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

fn tokens() -> NewTokens {
    NewTokens { access_jti: String::new(), refresh_jti: String::new(), expires_at: now() }
}

/// Fails if a step reads a whole table, or sorts.
#[track_caller]
fn expect_indexed(what: &str, plan: Vec<String>) {
    assert!(!plan.is_empty(), "{what}");
    let is_scan = |step: &str| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW";
    let is_slow = |step: &String| is_scan(step) || step.contains("TEMP B-TREE");
    assert!(!plan.iter().any(is_slow), "{what}: {plan:#?}");
}

#[test]
fn queries_of_every_request_use_indexes() {
    let db = Planner::new();
    expect_indexed("whose valid session", db.plan(users::find_with_session(&db, 1, "jti", now())));
    let session_absolute = Duration::from_secs(60);
    let exchange = Exchange { user_id: 1, refresh_jti: "jti", session_absolute, counter: Some("key".to_owned()) };
    let client = Client::default();
    expect_indexed("refresh", db.plan(token_pairs::refresh(&db, &exchange, tokens(), &client, now())));
    expect_indexed("refresh again", db.plan(token_pairs::find_state(&db, &exchange, now())));
    let spent = Spent { id: 1, chain_id: 1, rotated_at: None, is_account_active: true };
    expect_indexed("refresh repeated", db.plan(token_pairs::find_successor(&db, &spent, now())));
    let attempt = Attempt::default();
    let checked =
        Checked { user_id: 1, hashed_password: "", renewed_hash: None, needs_verified_email: false, attempt: &attempt };
    expect_indexed("opening", db.plan(token_pairs::log_in(&db, checked, tokens(), &client, now())));
    expect_indexed("login", db.plan(users::find_by_email(&db, "user@example.com")));
    expect_indexed("end", db.plan(sessions::end(&db, 1, 1, now())));
    expect_indexed("end all", db.plan(sessions::end_all(&db, 1, None)));
    expect_indexed("delete sessions", db.plan(sessions::delete_all(&db, 1)));
    expect_indexed("last administrator", db.plan(users::has_other_active_admin(&db, 1)));
}

#[test]
fn messages_and_their_tokens_are_found_by_index() {
    let db = Planner::new();
    let token = Secret::new("token");
    let purpose = Purpose::PasswordReset;
    expect_indexed("token", db.plan(one_time_tokens::find(&db, &token, purpose, now())));
    expect_indexed("use of a token", db.plan(one_time_tokens::take(&db, &token, purpose, now())));
    expect_indexed("end of all tokens", db.plan(one_time_tokens::end_all(&db, 1)));
    expect_indexed("address to verify", db.plan(one_time_tokens::pending_email(&db, 1, now())));
    expect_indexed("limit", db.plan(outbox::count_since(&db, 1, "a@b.com", Kind::PasswordReset, now())));
    expect_indexed("pause", db.plan(outbox::oldest_since(&db, 1, "a@b.com", Kind::PasswordReset, now())));
    expect_indexed("claim", db.plan(outbox::claim(&db, now())));
    expect_indexed("cancel", db.plan(outbox::cancel(&db, 1, Kind::PasswordReset)));
    expect_indexed("end of tokens in messages", db.plan(outbox::cancel_tokens(&db, 1)));
    expect_indexed("end of messages", db.plan(outbox::cancel_all(&db, 1)));
    expect_indexed("release", db.plan(outbox::release(&db, now())));
    expect_indexed("probe", db.plan(outbox::schedule_probe(&db, now())));
}

#[test]
fn a_repeated_refusal_is_found_among_the_latest_rows_of_its_action() {
    let db = Planner::new();
    let entry =
        audit::Entry { action: audit::Action::Register, user_id: None, resource_id: None, details: String::new() };
    let plan = db.plan(audit::insert_refusal(&db, &entry, &Client::default(), now()));
    assert_eq!(
        plan,
        [
            "SEARCH audit_logs USING INTEGER PRIMARY KEY (rowid=?)",
            "SCALAR SUBQUERY 2",
            "CO-ROUTINE (subquery-1)",
            "SEARCH audit_logs USING INDEX ix_audit_logs_action (action=?)",
            "SCAN (subquery-1)"
        ]
    );
}

#[test]
fn sessions_of_an_account_are_found_by_index() {
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
fn filtered_lists_use_the_order_of_an_index() {
    let db = Planner::new();
    let users = |is_active, is_admin| users::Filter { email_part: None, is_active, is_admin };
    for filters in [users(Some(true), None), users(None, Some(false)), users(Some(true), Some(true))] {
        expect_indexed("page", db.plan(users::list(&db, &filters, 50, 0)));
        expect_indexed("count", db.plan(users::count(&db, &filters)));
    }
    let lines = audit::Filter { user_id: Some(1), before: Some(9), ..audit::Filter::default() };
    expect_indexed("by account", db.plan(audit::list(&db, &lines, 50)));
    let lines = audit::Filter { action: Some("login".to_owned()), since: Some(now()), ..audit::Filter::default() };
    expect_indexed("by action", db.plan(audit::list(&db, &lines, 50)));
}

#[test]
fn lists_that_read_the_table_do_so_in_order() {
    let db = Planner::new();
    let everybody = users::Filter::default();
    assert_eq!(db.plan(users::list(&db, &everybody, 50, 0)), ["SCAN users"]);
    let some = users::Filter { email_part: Some(EmailPart::parse("x")), ..everybody };
    assert_eq!(db.plan(users::list(&db, &some, 50, 0)), ["SCAN users"]);
    // The index is smaller than the table.
    assert_eq!(db.plan(users::count(&db, &some)), ["SCAN users USING COVERING INDEX ix_users_email"]);
    let lines = audit::Filter { since: Some(now()), until: Some(now()), ..audit::Filter::default() };
    assert_eq!(db.plan(audit::list(&db, &lines, 50)), ["SCAN audit_logs"]);
}
