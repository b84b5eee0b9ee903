//! The instances of one component: creates them, and keeps idle ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use http_body_util::{BodyExt as _, Limited};
use log::Level;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use crate::engine::{Engine, Running};
use crate::host::LoadedComponent;
use crate::instance::{Grants, InstanceState};
use crate::output::Output;
use crate::serve::response::Response;

/// The maximum number of requests that an instance answers before a new one with fresh memory replaces it.
pub(super) const REUSE_MAX: usize = 1000;
/// The largest response of a component, in bytes.
const RESPONSE_SIZE_MAX: usize = 8 << 20;
/// How long an idle instance is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often idle instances are checked.
const IDLE_CHECK: Duration = Duration::from_secs(5);

/// Creates instances and keeps idle ones.
pub(super) struct Instances {
    engine: Arc<Engine>,
    pre: ServicePre<InstanceState>,
    grants: Arc<Grants>,
    /// The component's name in the manifest.
    pub(super) name: Arc<str>,
    /// A stack: the most recently used instance is reused first, so that the others can expire.
    idle: Mutex<Vec<Instance>>,
    /// Every instance has a reference to it, which counts them.
    counted: Arc<()>,
}

/// An instance of the component.
pub(super) struct Instance {
    pub(super) store: Store<InstanceState>,
    pub(super) service: Arc<Service>,
    /// The number of requests that it has taken.
    pub(super) request_count: usize,
    idle_since: Instant,
    _counted: Arc<()>,
}

impl Instances {
    /// Prepares a component.
    ///
    /// # Errors
    /// It exports no HTTP handler.
    pub(super) fn new(engine: Arc<Engine>, component: LoadedComponent) -> Result<Self> {
        let LoadedComponent { name, pre, grants } = component;
        let pre = ServicePre::new(pre).map_err(|_| {
            anyhow!("the component {name:?} answers no requests: it does not export wasi:http/handler@0.3")
        })?;
        Ok(Self { engine, pre, grants, name: name.into(), idle: Mutex::default(), counted: Arc::default() })
    }

    /// Takes an idle instance, or creates one.
    ///
    /// # Errors
    /// The component cannot be instantiated.
    pub(super) async fn take(&self) -> wasmtime::Result<Instance> {
        let idle = self.idle().pop();
        match idle {
            Some(instance) => Ok(instance),
            None => self.instantiate().await,
        }
    }

    /// Keeps an idle instance, unless it has answered enough requests.
    pub(super) fn give_back(&self, mut instance: Instance) {
        if instance.request_count < REUSE_MAX {
            instance.idle_since = Instant::now();
            self.idle().push(instance);
        }
    }

    /// Returns the number of idle instances, and of those that work on requests.
    pub(super) fn count(&self) -> (usize, usize) {
        let idle = self.idle();
        let all = Arc::strong_count(&self.counted) - 1;
        (idle.len(), all.saturating_sub(idle.len()))
    }

    /// Lets the clock tick for an instance: see [`Engine::running`].
    pub(super) fn running(&self) -> Running {
        self.engine.running()
    }

    async fn instantiate(&self) -> wasmtime::Result<Instance> {
        let output = |level| Output { component: self.name.clone(), level };
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output(Level::Info)).stderr(output(Level::Error));
        let mut store = InstanceState::new_store(&self.engine, &self.grants, &mut wasi);
        let service = Arc::new(self.pre.instantiate_async(&mut store).await?);
        let counted = self.counted.clone();
        Ok(Instance { store, service, request_count: 0, idle_since: Instant::now(), _counted: counted })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes `request` to the component and collects its response. The client cannot keep the instance waiting.
///
/// # Errors
/// Outer: the instance has failed. Inner: the component answered with an error, or with more than [`RESPONSE_SIZE_MAX`].
pub(super) async fn answer(
    accessor: &Accessor<InstanceState>,
    service: &Service,
    request: http::Request<WasiBody>,
) -> wasmtime::Result<Result<Response>> {
    let (request, sent) = accessor.with(|mut store| {
        let (request, sent) = GuestRequest::from_http(store.get().http().hooks, request);
        (request, Box::into_pin(Box::new(sent) as Box<dyn Future<Output = _> + Send>))
    });
    let response = match service.handle(accessor, request).await? {
        Ok(response) => response,
        Err(code) => return Ok(Err(code.into())),
    };
    let response = accessor.with(|store| response.into_http(store, sent))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, RESPONSE_SIZE_MAX).collect().await;
    Ok(body.map(|body| Response::from_parts(head, body.to_bytes().into())).map_err(|error| anyhow!(error)))
}

/// Drops instances that have been idle for [`IDLE_TIMEOUT`], which returns their memory to the system, until the pool
/// is dropped.
pub(super) async fn end_idle(instances: Weak<Instances>) {
    loop {
        tokio::time::sleep(IDLE_CHECK).await;
        let Some(instances) = instances.upgrade() else { return };
        let mut idle = instances.idle();
        let old = idle.partition_point(|instance| instance.idle_since.elapsed() > IDLE_TIMEOUT);
        let old: Vec<_> = idle.drain(..old).collect();
        drop(idle);
        drop(old);
    }
}
