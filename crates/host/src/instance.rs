//! The state of one instance, and its grants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::engine::{Engine, MEMORY_SIZE_MAX};
use crate::serve::has_had_its_turn;
use crate::storage::{self, Database, Limits};

/// What the manifest grants a component.
pub(crate) struct Grants {
    pub(crate) databases: HashMap<String, Database>,
    pub(crate) limits: Limits,
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
    http_hooks: NoOutgoingRequests,
    limits: StoreLimits,
}

impl InstanceState {
    /// Creates the store of one instance with the arguments, environment and streams of `wasi`, and without network.
    pub(crate) fn new_store(engine: &Engine, grants: &Arc<Grants>, wasi: &mut WasiCtxBuilder) -> Store<Self> {
        wasi.allow_tcp(false).allow_udp(false);
        let state = Self {
            grants: grants.clone(),
            table: ResourceTable::new(),
            open_connections: 0,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            http_hooks: NoOutgoingRequests,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_SIZE_MAX).build(),
        };
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        // wasmtime's own yield is rescheduled at once, so that sockets are polled too rarely; tokio's puts the component
        // behind all other ready tasks.
        store.epoch_deadline_callback(|_| {
            Ok(match has_had_its_turn() {
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
        WasiHttpCtxView { hooks: &mut self.http_hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Denies every request that a component sends.
struct NoOutgoingRequests;

type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for NoOutgoingRequests {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sending: Sending,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sending), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
