//! What an instance of a component owns, and what it is granted.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::engine::{Engine, MEMORY_SIZE_MAX};
use crate::interfaces::http::NoOutgoingRequests;
use crate::interfaces::key_value::KeyValueView;
use crate::interfaces::sqlite::SqliteCtx;
use crate::interfaces::variables::GrantedVariables;
use crate::storage::key_value;
use crate::storage::limits::Limits;
use crate::storage::sqlite::Database;

/// What the manifest grants a component.
pub(crate) struct Grants {
    /// The databases it may open, by name.
    pub(crate) databases: Arc<HashMap<String, Database>>,
    /// How long its statements may take.
    pub(crate) limits: Limits,
    /// The key-value stores it may open, by name.
    pub(crate) stores: HashMap<String, key_value::Store>,
    /// The variables it may read.
    pub(crate) variables: GrantedVariables,
    /// Whether what it prints is passed on.
    pub(crate) output: bool,
}

/// The data of one instance.
pub(crate) struct State {
    /// What the component is granted.
    pub(crate) grants: Arc<Grants>,
    /// Its handles.
    pub(crate) table: ResourceTable,
    /// Its connections.
    pub(crate) sqlite: SqliteCtx,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    http_hooks: NoOutgoingRequests,
    limits: StoreLimits,
}

impl State {
    /// A store for one instance. It sees no directory, no network, and of our environment only NO_COLOR. A command,
    /// which has `arguments`, may be told a secret on standard input.
    pub(crate) fn new_store(engine: &Engine, grants: &Arc<Grants>, arguments: &[String]) -> Store<State> {
        let mut wasi = WasiCtx::builder();
        wasi.args(arguments).allow_tcp(false).allow_udp(false);
        if grants.output {
            wasi.inherit_stdout().inherit_stderr();
        }
        if !arguments.is_empty() {
            wasi.inherit_stdin();
            if let Ok(value) = std::env::var("NO_COLOR") {
                wasi.env("NO_COLOR", value);
            }
        }
        let state = State {
            grants: grants.clone(),
            table: ResourceTable::new(),
            sqlite: SqliteCtx::new(grants.databases.clone(), grants.limits),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            http_hooks: NoOutgoingRequests,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_SIZE_MAX).build(),
        };
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        // A plain yield wakes itself at once, and sockets are polled too rarely in between; tokio's
        // puts the guest behind everything else that is ready.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
        store
    }

    /// The parts that the key-value interfaces work on.
    pub(crate) fn key_value(&mut self) -> KeyValueView<'_> {
        KeyValueView { granted: &self.grants.stores, table: &mut self.table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http_hooks, table: &mut self.table, ctx: &mut self.http }
    }
}
