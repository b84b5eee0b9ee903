//! The interfaces that a component may import, implemented for [`InstanceState`].

mod key_value;
mod sqlite;
mod variables;

use wasmtime::component::{HasSelf, Linker};

use crate::instance::InstanceState;

pub(crate) mod bindings {
    //! Generated from `wit/world.wit`, world `host`.

    #![allow(missing_docs, reason = "the .wit files document these items")]

    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "lanterne:backend/host",
        imports: {
            // These have no error to return for a bad handle.
            "spin:sqlite/sqlite.[method]connection.last-insert-rowid": async | trappable,
            "spin:sqlite/sqlite.[method]connection.last-insert-rowid-async": async | trappable,
            "spin:sqlite/sqlite.[method]connection.changes": async | trappable,
            "spin:sqlite/sqlite.[method]connection.changes-async": async | trappable,
            "spin:key-value/key-value.[method]store.get-keys": async | trappable,
            default: async,
        },
        with: {
            "spin:sqlite/sqlite.connection": crate::storage::Connection,
            "spin:key-value/key-value.store": crate::storage::Store,
        },
    });
}

/// Adds every interface of this host. Grants are checked before a component is linked, and on every `open`.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    // 0.2 for commands, which cannot await.
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    bindings::Host_::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
