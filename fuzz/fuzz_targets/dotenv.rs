//! `.env`: an error shows no value, and adding the secret keeps all that was there.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

#[allow(dead_code, reason = "the rest is for the program")]
#[path = "../../crates/lanterne/src/dotenv/mod.rs"]
mod dotenv;
/// Where `dotenv` looks for its neighbour.
mod console {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    pub(crate) struct UsageError(pub(crate) String);
}

use dotenv::{Dotenv, Secret};

/// The name under which `lanterne up` adds a secret.
const NAME: &str = "SPIN_VARIABLE_SECRET_KEY";
/// Replaces `{secret}` in an input.
const SECRET: &str = "Tr0ub4dor&3-plugh-xyzzy";

thread_local! {
    static FOLDER: TempDir = TempDir::new().expect("a temporary folder");
}

fuzz_target!(|bytes: &[u8]| {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("{secret}", SECRET).into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    write(&text);
    let before = match read() {
        Ok(before) => before,
        Err(error) => {
            assert!(!error.contains(SECRET) && error.len() < 300, "{error}");
            return;
        }
    };
    assert!(before.entries.iter().all(|(name, _)| !name.is_empty()), "{before:?}");
    for (name, fault) in &before.unreadable {
        assert!(!fault.to_string().contains(SECRET), "{name}: {fault}");
    }
    let is_set = before.entries.iter().any(|(name, value)| name == NAME && !value.is_empty());
    let Ok(secret) = add_secret() else {
        // It must not claim to have added one.
        assert!(!is_set, "{before:?}");
        return;
    };
    let mut expected = before.entries;
    if is_set {
        assert!(!secret.is_new && contents() == text, "a secret was there");
    } else {
        let value = secret.value;
        assert!(value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
        expected.push((NAME.to_owned(), value));
    }
    assert_eq!(read().map(|after| sorted(after.entries)), Ok(sorted(expected)));
});

fn sorted(mut entries: Vec<(String, String)>) -> Vec<(String, String)> {
    entries.sort();
    entries
}

fn read() -> Result<Dotenv, String> {
    FOLDER.with(|folder| dotenv::read(folder.path()).map_err(|error| format!("{error:#}")))
}

fn add_secret() -> Result<Secret, String> {
    FOLDER.with(|folder| dotenv::add_secret(folder.path(), NAME).map_err(|error| format!("{error:#}")))
}

fn write(text: &[u8]) {
    FOLDER.with(|folder| fs::write(dotenv::path(folder.path()), text).expect("the folder can be written"));
}

fn contents() -> Vec<u8> {
    FOLDER.with(|folder| fs::read(dotenv::path(folder.path())).expect("a file"))
}
