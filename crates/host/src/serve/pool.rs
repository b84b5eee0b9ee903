//! The instances that answer requests: reused, limited in number, and with one request at a time each, so that a trap
//! fails only one request. Throughput does not suffer.
//!
//! The number of requests in instances is bounded. Heavy requests, which the manifest lists because they need much
//! processor time, have a second, smaller bound, so that any number of them leaves instances and processor time for
//! other requests.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use log::Level;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use wasmtime::component::Accessor;
use wasmtime::{Store, ToWasmtimeResult as _};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use crate::cause;
use crate::engine::Engine;
use crate::host::LoadedComponent;
use crate::instance::{Grants, InstanceState};
use crate::output::Output;
use crate::serve::heavy::HeavyRequests;
use crate::serve::request_log::REQUEST_ID;
use crate::serve::response::{self, Response};

/// How long a request may wait for an instance.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a component may work on a request, before and after its response. The most expensive password hash needs
/// less than ten seconds of processor time, and at most two heavy requests share a processor.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Heavy requests per processor. With only one, the processor would be idle while it waits for the database.
const HEAVY_PER_PROCESSOR: usize = 2;
/// The largest response of a component, in bytes.
const RESPONSE_SIZE_MAX: usize = 8 << 20;
/// How long an idle instance is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often idle instances are checked.
const IDLE_CHECK: Duration = Duration::from_secs(5);
/// How many requests an instance answers before a new one with fresh memory takes its place.
const REUSE_MAX: usize = 1000;
/// The most of a request's path that is logged, in characters.
const LOGGED_PATH_MAX: usize = 200;

/// The instances of one component.
pub(crate) struct Pool {
    instances: Arc<Instances>,
    threads: Handle,
    places: Arc<Semaphore>,
    heavy_places: Arc<Semaphore>,
    heavy_requests: HeavyRequests,
}

/// Permission to use an instance.
type Place = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// Creates instances and keeps idle ones.
struct Instances {
    engine: Arc<Engine>,
    pre: ServicePre<InstanceState>,
    grants: Arc<Grants>,
    name: Arc<str>,
    /// A stack: the most recently used instance is reused first, so that the others can expire.
    idle: Mutex<Vec<Instance>>,
}

struct Instance {
    store: Store<InstanceState>,
    service: Service,
    request_count: usize,
    idle_since: Instant,
}

impl Pool {
    /// Creates a pool of at most `instances_max` instances, which run on `threads`, and its first instance.
    ///
    /// # Errors
    /// The component exports no HTTP handler, or cannot be instantiated.
    pub(crate) fn start(
        engine: Arc<Engine>,
        threads: &Handle,
        component: LoadedComponent,
        heavy_requests: HeavyRequests,
        instances_max: usize,
    ) -> Result<Arc<Self>> {
        let LoadedComponent { name, pre, grants } = component;
        let pre = ServicePre::new(pre).map_err(|_| {
            anyhow!("the component {name:?} answers no requests: it does not export wasi:http/handler@0.3")
        })?;
        let instances = Arc::new(Instances { engine, pre, grants, name: name.into(), idle: Mutex::default() });
        let first = threads.block_on(instances.instantiate());
        let first = first.map_err(|error| anyhow!("cannot start the component {:?}: {error:#}", instances.name))?;
        instances.idle().push(first);
        threads.spawn(end_idle(Arc::downgrade(&instances)));
        let heavy_max = HEAVY_PER_PROCESSOR * available_parallelism().map_or(1, NonZero::get);
        Ok(Arc::new(Self {
            instances,
            threads: threads.clone(),
            places: Arc::new(Semaphore::new(instances_max)),
            heavy_places: Arc::new(Semaphore::new(heavy_max.min(instances_max / 2).max(1))),
            heavy_requests,
        }))
    }

    /// Answers `request` with an instance. A failure is logged and becomes an error response.
    ///
    /// If this is cancelled, because the client has gone, a heavy request ends at once. Others are completed: a client
    /// may close the connection as soon as it has sent, for example, a logout.
    pub(crate) async fn answer(&self, request: http::Request<WasiBody>) -> Response {
        let is_heavy = self.heavy_requests.contain(request.method(), request.uri().path());
        let Ok(place) = tokio::time::timeout(PLACE_TIMEOUT, self.place(is_heavy)).await else {
            return response::busy();
        };
        let (reply, response) = oneshot::channel();
        // Dropping it ends the task.
        let mut task = JoinSet::new();
        task.spawn_on(self.instances.clone().answer(request, reply, place), &self.threads);
        if !is_heavy {
            task.detach_all();
        }
        response.await.unwrap_or_else(|_| response::error(StatusCode::INTERNAL_SERVER_ERROR))
    }

    async fn place(&self, is_heavy: bool) -> Option<Place> {
        let heavy = if is_heavy { Some(self.heavy_places.clone().acquire_owned().await.ok()?) } else { None };
        Some((self.places.clone().acquire_owned().await.ok()?, heavy))
    }
}

impl Instances {
    /// Answers `request` with an idle or a new instance, which is kept if it did not fail.
    async fn answer(
        self: Arc<Self>,
        request: http::Request<WasiBody>,
        reply: oneshot::Sender<Response>,
        _place: Option<Place>,
    ) {
        let path: String = request.uri().path().escape_debug().take(LOGGED_PATH_MAX).collect();
        let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let line = format!("request {id}: {} {path}", request.method());
        let _busy = self.engine.busy();
        let mut reply = Some(reply);
        let answered = tokio::time::timeout(REQUEST_TIMEOUT, self.try_answer(request, &mut reply)).await;
        let (status, cause) = match answered {
            Ok(Ok(())) => return,
            Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, cause(&error)),
            Err(_) => (StatusCode::GATEWAY_TIMEOUT, format!("took more than {} s", REQUEST_TIMEOUT.as_secs())),
        };
        log::error!(component = &*self.name; "{line}: {cause}");
        if let Some(reply) = reply {
            let _ = reply.send(response::error(status));
        }
    }

    async fn try_answer(
        &self,
        request: http::Request<WasiBody>,
        reply: &mut Option<oneshot::Sender<Response>>,
    ) -> wasmtime::Result<()> {
        let idle = self.idle().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.instantiate().await?,
        };
        let service = &instance.service;
        let answer = async |accessor: &Accessor<_>| -> wasmtime::Result<()> {
            let response = answer(accessor, service, request).await?;
            if let Some(reply) = reply.take() {
                // An error means that the client has gone.
                let _ = reply.send(response);
            }
            // The component may continue after its response.
            std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Ok(())
        };
        instance.store.run_concurrent(answer).await??;
        instance.request_count += 1;
        if instance.request_count < REUSE_MAX {
            instance.idle_since = Instant::now();
            self.idle().push(instance);
        }
        Ok(())
    }

    async fn instantiate(&self) -> wasmtime::Result<Instance> {
        let output = |level| Output { component: self.name.clone(), level };
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output(Level::Info)).stderr(output(Level::Error));
        let mut store = InstanceState::new_store(&self.engine, &self.grants, &mut wasi);
        let service = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, service, request_count: 0, idle_since: Instant::now() })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes `request` to the component and collects its response. The client cannot keep the instance waiting.
async fn answer(
    accessor: &Accessor<InstanceState>,
    service: &Service,
    request: http::Request<WasiBody>,
) -> wasmtime::Result<Response> {
    let (request, sent) = accessor.with(|mut store| {
        let (request, sent) = GuestRequest::from_http(store.get().http().hooks, request);
        (request, Box::into_pin(Box::new(sent) as Box<dyn Future<Output = _> + Send>))
    });
    let response = service.handle(accessor, request).await??;
    let response = accessor.with(|store| response.into_http(store, sent))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, RESPONSE_SIZE_MAX).collect().await.map_err(|error| anyhow!(error));
    Ok(Response::from_parts(head, body.to_wasmtime_result()?.to_bytes().into()))
}

/// Drops instances that have been idle for [`IDLE_TIMEOUT`], which returns their memory to the system, until the pool
/// is dropped.
async fn end_idle(instances: Weak<Instances>) {
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
