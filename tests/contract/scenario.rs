//! The format of the scenarios, as `contract.rs` describes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    pub(super) scenario: String,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) seeded: bool,
    /// Steps before their variables are filled in; see [`Step`].
    pub(super) steps: Vec<Value>,
}

/// A step that is neither a name nor a loop.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Step {
    Parallel { request: String, json: Value, statuses: BTreeMap<String, usize> },
    Request(Request),
    Raw { raw: String, expect: Value },
    Change { sql: String, changes: usize },
    Query { sql: String, rows: Value },
    Mint(Mint),
    Token { token: String, claims: Value },
    Differ { differ: (String, String) },
}

#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) request: String,
    #[serde(default)]
    pub(super) headers: Headers,
    pub(super) json: Option<Value>,
    pub(super) text: Option<String>,
    pub(super) base64: Option<String>,
    pub(super) expect: Value,
    #[serde(default)]
    pub(super) keep: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Mint {
    pub(super) mint: String,
    pub(super) from: String,
    #[serde(default)]
    pub(super) change: Map<String, Value>,
    pub(super) payload: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// A status, or a list of those that are allowed.
    pub(super) status: Value,
    #[serde(default)]
    pub(super) headers: Headers,
    pub(super) json: Option<Value>,
    pub(super) text: Option<Value>,
}

pub(super) type Headers = BTreeMap<String, Option<String>>;

/// The named steps and replies.
#[derive(Deserialize)]
pub(super) struct Shared {
    pub(super) steps: BTreeMap<String, Value>,
    pub(super) replies: BTreeMap<String, Value>,
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contract")
}

pub(super) fn scenarios(name: &str) -> Vec<Scenario> {
    read(name)
}

pub(super) fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| read("shared"))
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let text = fs::read(folder().join(name).with_extension("json")).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"))
}
