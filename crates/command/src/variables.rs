//! The app's variables through `wasi:config`: those that the manifest hands to this component.

use crate::Failure;
use crate::bindings::wasi::config::store::{self, Error};

/// The variable's value; `None` if the manifest hands this component no such variable.
///
/// # Errors
/// The host could not look it up.
pub fn variable(name: &str) -> Result<Option<String>, Failure> {
    store::get(name).map_err(|error| {
        let (Error::Upstream(message) | Error::Io(message)) = error;
        Failure::Failed(format!("variable {name}: {message}"))
    })
}
