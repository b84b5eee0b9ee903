//! The interfaces a component may import, one file each.

pub(crate) mod http;
pub(crate) mod key_value;
pub(crate) mod sqlite;
pub(crate) mod variables;

use wasmtime::component::Linker;

use crate::state::State;

/// Gives `linker` every interface this host has. What a component may use of them is decided by
/// its grants before it is linked, and again on every `open`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    sqlite::add_to_linker(linker)?;
    key_value::add_to_linker(linker)?;
    variables::add_to_linker(linker)
}
