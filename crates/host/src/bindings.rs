//! Rust types and traits for the interfaces of `wit/`, generated from the world `host`.

#![allow(missing_docs, reason = "the documentation of these items is in the .wit files")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "lanterne:backend/host",
    imports: { default: async | trappable },
    with: {
        "spin:sqlite/sqlite.connection": crate::storage::sqlite::Connection,
        "wasi:keyvalue/store.bucket": crate::storage::key_value::Store,
        "wasi:keyvalue/atomics.cas": crate::storage::key_value::CompareAndSwap,
    },
    // These interfaces report their failures to the guest; nothing in them traps by design.
    trappable_error_type: {
        "spin:sqlite/sqlite.error" => spin::sqlite::sqlite::Error,
        "spin:variables/variables.error" => spin::variables::variables::Error,
        "wasi:keyvalue/store.error" => wasi::keyvalue::store::Error,
        "wasi:keyvalue/atomics.cas-error" => wasi::keyvalue::atomics::CasError,
        "wasi:config/store.error" => wasi::config::store::Error,
    },
});
