//! Replaces `outgoing.rs` natively, where nothing runs.

use lanterne_core::mail::Post;

pub(crate) fn post(_: &Post) -> Result<u16, String> {
    Err("this is a WebAssembly component".to_owned())
}
