//! The app's key-value store through `wasi:keyvalue`.

use crate::Failure;
use crate::bindings::wasi::keyvalue::store::{self, Bucket, Error};

/// The app's key-value store, which the manifest calls `default`.
pub struct Store(Bucket);

impl Store {
    /// Opens the store.
    ///
    /// # Errors
    /// Whatever the host says, as text: the manifest does not grant the store, or it cannot be opened.
    pub fn open() -> Result<Self, Failure> {
        store::open("default").map(Self).map_err(failure)
    }

    /// All keys.
    ///
    /// # Errors
    /// The host could not list them.
    pub fn keys(&self) -> Result<Vec<String>, Failure> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.0.list_keys(cursor.as_deref()).map_err(failure)?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// The host could not read it.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.0.get(key).map_err(failure)
    }

    /// Removes `key`, if it is there.
    ///
    /// # Errors
    /// The host could not remove it.
    pub fn delete(&self, key: &str) -> Result<(), Failure> {
        self.0.delete(key).map_err(failure)
    }
}

fn failure(error: Error) -> Failure {
    let reason = match error {
        Error::NoSuchStore => "the host has no store named \"default\"".to_owned(),
        Error::AccessDenied => "the manifest does not grant it: key_value_stores = [\"default\"] is missing".to_owned(),
        Error::Other(reason) => reason,
    };
    Failure::Failed(format!("key-value store: {reason}"))
}
