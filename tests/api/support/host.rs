//! A host for the pipeline: an SQLite file, counters and log in memory, and a clock that only the test moves.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::ready;
use std::path::PathBuf;
use std::rc::Rc;

use api::app::{App, Host};
use lanterne_core::config::Config;
use lanterne_core::mail::Post;
use lanterne_core::password::Cost;
use lanterne_core::throttle::Cache;
use lanterne_database::{self as db, BoxFuture, Connection, Row, SqliteFile, Timestamp, Value};
use tempfile::TempDir;

use super::token::SECRET;

/// The schema that the migrations build.
const SCHEMA: &str = include_str!("../../../migrations/schema.sql");

/// A host in a temporary folder.
pub(super) struct TestHost {
    pub(super) folder: TempDir,
    pub(super) now: Cell<Timestamp>,
    pub(super) log: RefCell<String>,
    pub(super) is_key_value_broken: Cell<bool>,
    cache: MemoryCache,
    variables: Vec<(String, String)>,
    app: App,
    db: Rc<SqliteFile>,
}

impl TestHost {
    /// Creates a host with an empty database and these variables. Uses the lowest bcrypt cost unless `bcrypt_cost` is set.
    pub(super) fn new(variables: &[(&str, &str)]) -> Self {
        Self::with(merged(Vec::new(), variables))
    }

    /// Creates another host with the same variables.
    pub(super) fn twin(&self) -> Self {
        Self::with(self.variables.clone())
    }

    fn with(variables: Vec<(String, String)>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let db = SqliteFile::open(folder.path().join("test.db")).expect("the file opens");
        // Tests do not need durability, which costs a sync per transaction.
        let set_up = format!("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON; {SCHEMA}");
        db.with(|db| db.execute_batch(&set_up)).expect("the schema is valid");
        Self {
            folder,
            now: Cell::new(Timestamp::now()),
            log: RefCell::default(),
            is_key_value_broken: Cell::default(),
            cache: MemoryCache::default(),
            app: App::new(config(&variables)),
            variables,
            db: Rc::new(db),
        }
    }

    /// Returns the same host, restarted with these variables changed.
    pub(super) fn restart_with(self, variables: &[(&str, &str)]) -> Self {
        let variables = merged(self.variables, variables);
        Self { app: App::new(config(&variables)), variables, ..self }
    }

    /// The path of the database.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }
}

fn merged(mut variables: Vec<(String, String)>, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    variables
}

fn config(variables: &[(String, String)]) -> Config {
    let set = |name: &str| variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.clone());
    let lookup = |name: &str| set(name).or_else(|| (name == "secret_key").then(|| SECRET.to_owned()));
    let mut config = Config::from_lookup(lookup).unwrap_or_else(|errors| panic!("{errors}"));
    if set("bcrypt_cost").is_none() {
        config.bcrypt_cost = Cost::TEST;
    }
    config
}

impl Host for TestHost {
    fn app(&self) -> BoxFuture<'_, Result<&App, String>> {
        Box::pin(async { Ok(&self.app) })
    }

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Connection>, db::Error>> {
        Box::pin(async { Ok(Box::new(Shared(self.db.clone())) as Box<dyn Connection>) })
    }

    fn cache(&self) -> &dyn Cache {
        &self.cache
    }

    fn check_key_value(&self) -> BoxFuture<'_, Result<(), String>> {
        let is_broken = self.is_key_value_broken.get();
        Box::pin(async move { if is_broken { Err("broken".to_owned()) } else { Ok(()) } })
    }

    fn send<'a>(&'a self, post: &'a Post) -> BoxFuture<'a, Result<u16, String>> {
        Box::pin(async {
            let mut request = ureq::post(&post.url).config().http_status_as_error(false).build();
            for (name, value) in &post.headers {
                request = request.header(*name, value);
            }
            let response = request.send(&post.body).map_err(|error| error.to_string())?;
            Ok(response.status().as_u16())
        })
    }

    fn log(&self, line: &str) {
        let mut log = self.log.borrow_mut();
        log.push_str(line);
        log.push('\n');
    }

    fn log_info(&self, line: &str) {
        self.log(line);
    }
}

/// The only connection of the host: a test sends one request at a time.
struct Shared(Rc<SqliteFile>);

impl Connection for Shared {
    fn query<'a>(&'a self, sql: &'a str, params: Vec<Value>) -> BoxFuture<'a, Result<Vec<Row>, db::Error>> {
        self.0.query(sql, params)
    }
}

/// A key-value store in memory.
#[derive(Default)]
struct MemoryCache(RefCell<HashMap<String, Vec<u8>>>);

impl Cache for MemoryCache {
    fn get<'a>(&'a self, keys: [&'a str; 2]) -> BoxFuture<'a, [Option<Vec<u8>>; 2]> {
        let values = self.0.borrow();
        Box::pin(ready(keys.map(|key| values.get(key).cloned())))
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        self.0.borrow_mut().insert(key.to_owned(), value.to_owned());
        Box::pin(ready(()))
    }
}
