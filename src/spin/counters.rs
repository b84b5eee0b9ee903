//! The counters of the throttle in the host's key-value store, which all instances share.
//!
//! Uses `wasi:keyvalue`, because `spin:key-value` has no compare-and-swap.

use lanterne_core::throttle::{Change, CounterStore, Unavailable};

use self::bindings::wasi::keyvalue::atomics::{Cas, CasError, swap};
use self::bindings::wasi::keyvalue::store::{self, Bucket, Error};

mod bindings {
    //! Generated from `wit/world.wit`, world `api`.
    #![allow(missing_docs, unreachable_pub, unsafe_code, reason = "generated code, used only in the module above")]
    #![allow(clippy::all, clippy::pedantic, reason = "generated code")]
    #![allow(dead_code, unused_imports, reason = "the interfaces have more than is used")]

    spin_sdk::wit_bindgen::generate!({
        world: "api",
        path: "wit",
        runtime_path: "spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// The store that the manifest grants.
const STORE: &str = "default";
/// The most attempts to change a counter that others change at the same time.
const ATTEMPTS_MAX: u32 = 100;

/// The key-value store, opened for each change, so that a missing one affects only the throttle.
pub(super) struct KeyValueStore;

impl CounterStore for KeyValueStore {
    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Unavailable> {
        try_update(key, change).map_err(unavailable)
    }
}

fn try_update(key: &str, change: &mut Change<'_>) -> Result<(), String> {
    let bucket: Bucket = store::open(STORE).map_err(|error| explain(&error))?;
    for _ in 0..ATTEMPTS_MAX {
        let handle = Cas::new(&bucket, key).map_err(|error| explain(&error))?;
        // Spin compares with the value returned here, not with that at the creation of the handle.
        let current = handle.current().map_err(|error| explain(&error))?;
        let Some(value) = change(current.as_deref()) else { return Ok(()) };
        match swap(handle, &value) {
            Ok(()) => return Ok(()),
            Err(CasError::CasFailed(_)) => {}
            Err(CasError::StoreError(error)) => return Err(explain(&error)),
        }
    }
    Err(format!("a counter was changed by others {ATTEMPTS_MAX} times in a row"))
}

fn explain(error: &Error) -> String {
    match error {
        Error::NoSuchStore => format!("the host has no store {STORE:?}"),
        Error::AccessDenied => {
            format!("the manifest does not grant it: key_value_stores = [{STORE:?}] is missing")
        }
        Error::Other(reason) => reason.clone(),
    }
}

fn unavailable(reason: String) -> Unavailable {
    super::log(&format!("attempts are not counted: key-value store: {reason}"));
    Unavailable
}
