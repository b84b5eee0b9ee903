//! Replaces `host.rs` natively, where only unit tests run: nothing can be opened.
#![allow(missing_docs, reason = "documented in host.rs")]

use lanterne_database::{self as db, BoxFuture, Connection, Row, Value};

use crate::Failure;

const MESSAGE: &str = "this is a WebAssembly component: run it with `cargo lanterne` or `spin up`";

pub enum Database {}

impl Database {
    pub fn open() -> Result<Self, db::Error> {
        Err(db::Error::Host(MESSAGE.to_owned()))
    }
}

impl Connection for Database {
    fn query<'a>(&'a self, _: &'a str, _: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        match *self {}
    }
}

pub enum Store {}

impl Store {
    pub fn open() -> Result<Self, Failure> {
        Err(Failure::Failed(MESSAGE.to_owned()))
    }

    pub fn for_each_key(&self, _: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
        match *self {}
    }

    pub fn get(&self, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        match *self {}
    }

    pub fn delete(&self, _: &str) -> Result<(), Failure> {
        match *self {}
    }
}

pub fn variable(_: &str) -> Result<Option<String>, Failure> {
    Err(Failure::Failed(MESSAGE.to_owned()))
}

pub(crate) fn set_exit_status(_: u8) {}
