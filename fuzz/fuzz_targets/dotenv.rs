//! `.env`: an error shows no value, and adding the secret keeps all that was there.
#![no_main]

use std::collections::BTreeMap;
use std::fs;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

#[path = "../../crates/lanterne/src/dotenv.rs"]
mod dotenv;

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
    let entries = match read() {
        Ok(entries) => entries,
        Err(error) => {
            assert!(!error.contains(SECRET) && error.len() < 300, "{error}");
            return;
        }
    };
    assert!(entries.keys().all(|name| !name.is_empty() && !name.contains(char::is_whitespace)), "{entries:?}");
    let is_set = entries.get(NAME).is_some_and(|value| !value.is_empty());
    let Ok(secret) = add_secret() else {
        // It must not claim to have added one.
        assert!(!is_set, "{entries:?}");
        return;
    };
    let mut expected = entries.clone();
    if is_set {
        assert_eq!((entries.get(NAME), text), (Some(&secret), contents()), "a secret was there");
    } else {
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
        expected.insert(NAME.to_owned(), secret);
    }
    assert_eq!(read().as_ref(), Ok(&expected));
});

fn read() -> Result<BTreeMap<String, String>, String> {
    FOLDER.with(|folder| dotenv::read(folder.path()).map_err(|error| format!("{error:#}")))
}

fn add_secret() -> Result<String, String> {
    FOLDER.with(|folder| dotenv::add_secret(folder.path(), NAME).map_err(|error| format!("{error:#}")))
}

fn write(text: &[u8]) {
    FOLDER.with(|folder| fs::write(dotenv::path(folder.path()), text).expect("the folder can be written"));
}

fn contents() -> Vec<u8> {
    FOLDER.with(|folder| fs::read(dotenv::path(folder.path())).expect("a file"))
}
