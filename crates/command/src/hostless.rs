//! The database, the store and the variables of a program that no host runs: there are none.

use std::convert::Infallible;

use lanterne_database::{self as db, Connection, Row, Value};

use crate::Failure;

const MESSAGE: &str = "this is a WebAssembly component: run it with `cargo lanterne` or `spin up`";

/// Cannot be opened.
pub struct Database(Infallible);

impl Database {
    /// Says that there is no host.
    ///
    /// # Errors
    /// Always.
    pub fn open() -> Result<Self, db::Error> {
        Err(db::Error::Host(MESSAGE.to_owned()))
    }
}

impl Connection for Database {
    async fn query(&self, _: &str, _: Vec<Value>) -> Result<Vec<Row>, db::Error> {
        match self.0 {}
    }
}

/// Cannot be opened.
pub struct Store(Infallible);

impl Store {
    /// Says that there is no host.
    ///
    /// # Errors
    /// Always.
    pub fn open() -> Result<Self, Failure> {
        Err(Failure::Failed(MESSAGE.to_owned()))
    }

    /// Cannot be asked.
    ///
    /// # Errors
    /// None: there is no store to ask.
    pub fn keys(&self) -> Result<Vec<String>, Failure> {
        match self.0 {}
    }

    /// Cannot be asked.
    ///
    /// # Errors
    /// None: there is no store to ask.
    pub fn get(&self, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.0 {}
    }

    /// Cannot be asked.
    ///
    /// # Errors
    /// None: there is no store to ask.
    pub fn delete(&self, _: &str) -> Result<(), Failure> {
        match self.0 {}
    }
}

/// Says that there is no host.
///
/// # Errors
/// Always.
pub fn variable(_: &str) -> Result<Option<String>, Failure> {
    Err(Failure::Failed(MESSAGE.to_owned()))
}
