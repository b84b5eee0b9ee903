//! The state of one instance, and its grants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::engine::{Engine, MEMORY_SIZE_MAX};
use crate::metrics::OutgoingDurations;
use crate::outgoing::{AllowedHosts, Client, OutgoingRequests};
use crate::serve::must_yield;
use crate::storage::{self, Database, Limits};

/// What the manifest grants a component.
pub(crate) struct Grants {
    /// The component's name in the manifest.
    pub(crate) component: String,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) client: Arc<Client>,
    pub(crate) databases: HashMap<String, Database>,
    pub(crate) limits: Limits,
    /// `None` if nothing is measured, or the manifest allows no host.
    pub(crate) outgoing: Option<OutgoingDurations>,
    pub(crate) stores: HashMap<String, storage::Store>,
    pub(crate) variables: BTreeMap<String, String>,
}

/// The data of a wasmtime store. The host interfaces are implemented for it.
pub(crate) struct InstanceState {
    pub(crate) grants: Arc<Grants>,
    pub(crate) table: ResourceTable,
    pub(crate) open_connections: usize,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: OutgoingRequests,
    limits: StoreLimits,
}

impl InstanceState {
    /// Creates the store of one instance with the arguments, environment and streams of `wasi`, and without sockets.
    pub(crate) fn new_store(engine: &Engine, grants: &Arc<Grants>, wasi: &mut WasiCtxBuilder) -> Store<Self> {
        wasi.allow_tcp(false).allow_udp(false);
        let state = Self {
            grants: grants.clone(),
            table: ResourceTable::new(),
            open_connections: 0,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outgoing: OutgoingRequests::new(grants),
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_SIZE_MAX).build(),
        };
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        let clock = engine.clock().clone();
        // wasmtime's own yield is rescheduled at once, so that sockets are polled too rarely; tokio's puts the component
        // behind all other ready tasks.
        store.epoch_deadline_callback(move |_| {
            Ok(match must_yield(clock.is_crowded()) {
                true => UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())),
                false => UpdateDeadline::Continue(1),
            })
        });
        store
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
