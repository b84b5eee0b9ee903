//! Replaces `host.rs` natively, where only unit tests run: nothing can be opened.
#![allow(missing_docs, reason = "documented in host.rs")]

use lanterne_database::{self as db, BoxFuture, Connection, Row, Value};

use crate::Failure;

const MESSAGE: &str = "this is a WebAssembly component: run it with `cargo lanterne` or `spin up`";

pub enum Database {}

impl Database {
    pub async fn open() -> Result<Self, db::Error> {
        Err(db::Error::Host(MESSAGE.to_owned()))
    }
}

impl Connection for Database {
    fn query<'a>(&'a self, _: &'a str, _: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        match *self {}
    }
}

pub fn variable(_: &str) -> Result<Option<String>, Failure> {
    Err(Failure::Failed(MESSAGE.to_owned()))
}

pub(crate) fn set_exit_status(_: u8) {}
