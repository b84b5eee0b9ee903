//! Passes requests to instances.
//!
//! An instance answers one request at a time, so that a trap fails only one. Heavy requests, which the manifest lists
//! because they need much processor time, share instances instead ([`shared`](super::shared)). Both are bounded in number,
//! heavy requests by a smaller bound of their own, so that any number of them leaves instances and processor time for the
//! others, and no client gets all places ([`places`](super::places)).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use http::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::ToWasmtimeResult as _;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiBody;

use crate::engine::Engine;
use crate::metrics::exposition::{Exposition, Kind, labels};
use crate::serve::heavy::HeavyRequests;
use crate::serve::instances::{self, Instances};
use crate::serve::places::{Place, Places};
use crate::serve::request_log::REQUEST_ID;
use crate::serve::response::Response;
use crate::serve::shared::SharedInstances;
use crate::serve::turn::repoll;
use crate::storage::Limits;
use crate::threads::processors;
use crate::{Host, cause};

/// How long a request may wait for an instance.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a component may work on a request before its response. The most expensive password hash needs less than ten
/// seconds of processor time, and few heavy requests share a processor.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may work in all, before and after its response: longer, so that a late request is answered first.
pub(super) const INSTANCE_TIMEOUT: Duration = Duration::from_secs(65);
/// Heavy requests per processor: two compute hashes side by side, a third takes the place of one that waits for the
/// database.
const HEAVY_PER_PROCESSOR: usize = 3;
/// The maximum number of instances per processor that one client uses. Running instances share the processors, so more
/// would delay the requests of others.
const CLIENT_INSTANCES_PER_PROCESSOR: usize = 6;
/// The most of a request's path that is logged, in characters.
const LOGGED_PATH_MAX: usize = 200;

/// The instances of one component.
pub(crate) struct Pool {
    engine: Arc<Engine>,
    instances: Arc<Instances>,
    shared: Arc<SharedInstances>,
    threads: Handle,
    places: Arc<Places>,
    heavy_places: Arc<Places>,
    heavy_requests: HeavyRequests,
}

/// A request on its way to an instance.
pub(super) struct Job {
    pub(super) request: http::Request<WasiBody>,
    pub(super) reply: oneshot::Sender<Response>,
    /// A place among all requests and, for a heavy request, one among the heavy ones.
    pub(super) places: (Place, Option<Place>),
}

impl Pool {
    /// Loads the component `name` of the app's main manifest and creates a pool of at most `instances_max` instances, with the
    /// first one.
    ///
    /// # Errors
    /// The component cannot be loaded or instantiated, or exports no HTTP handler.
    pub(crate) fn of(host: &Host, name: &str, instances_max: usize) -> Result<Arc<Self>> {
        let manifest = &host.app().main;
        let component = host.load(manifest, name, Limits::REQUEST)?;
        let heavy_requests = manifest.component[name].heavy_requests()?;
        let threads = host.threads.handle();
        let instances = Arc::new(Instances::new(host.engine.clone(), component)?);
        let first = threads.block_on(instances.take());
        let first = first.map_err(|error| anyhow!("cannot start the component {:?}: {error:#}", instances.name))?;
        instances.give_back(first);
        threads.spawn(instances::end_idle(Arc::downgrade(&instances)));
        let processors = processors();
        let heavy_max = (HEAVY_PER_PROCESSOR * processors).min(instances_max / 2).max(1);
        Ok(Arc::new(Self {
            engine: host.engine.clone(),
            shared: Arc::new(SharedInstances::new(instances.clone(), host.heavy_threads.handle().clone(), processors)),
            instances,
            threads: threads.clone(),
            places: Places::new(instances_max, (CLIENT_INSTANCES_PER_PROCESSOR * processors).min(instances_max / 2)),
            // One is always left for other clients.
            heavy_places: Places::new(heavy_max, heavy_max - 1),
            heavy_requests,
        }))
    }

    /// Answers a request of `client` with an instance.
    ///
    /// Cancelled when the client disconnects. A heavy request is then abandoned. Others are completed once they have a
    /// place, unless the server stops: a client may disconnect as soon as it has sent, for example, a logout.
    ///
    /// # Errors
    /// The status for a request that got no place or no response in time, or whose instance failed, which is logged.
    pub(crate) async fn answer(
        &self,
        request: http::Request<WasiBody>,
        client: IpAddr,
    ) -> Result<Response, StatusCode> {
        let is_heavy = self.heavy_requests.contain(request.method(), request.uri().path());
        let Ok(Some(places)) = timeout(PLACE_TIMEOUT, self.take_places(is_heavy, client)).await else {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        };
        let (reply, response) = oneshot::channel();
        let job = Job { request, reply, places };
        let _in_flight = if is_heavy {
            Some(self.shared.answer(job))
        } else {
            let (busy, answered) = (self.engine.busy(), answer_alone(self.instances.clone(), job));
            self.threads.spawn(async move {
                answered.await;
                drop(busy);
            });
            None
        };
        match timeout(REQUEST_TIMEOUT, response).await {
            Ok(response) => response.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR),
            Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    /// Writes how many requests wait, and how many instances there are.
    pub(super) fn write_gauges(pools: &[Arc<Self>], text: &mut Exposition) {
        let mut write = |name: &str, help: &str, of: &dyn Fn(&Self) -> usize| {
            text.family(name, Kind::Gauge, help);
            pools.iter().for_each(|pool| text.sample(name, &labels(&[("component", &pool.instances.name)]), of(pool)));
        };
        write(
            "lanterne_heavy_requests_waiting",
            "Requests listed in heavy_requests of the manifest, because they compute a hash or as much, that wait for their \
             turn.",
            &|pool| pool.heavy_places.load().waiting,
        );
        write(
            "lanterne_heavy_requests_running",
            "Requests listed in heavy_requests of the manifest whose turn it is: they compute their hash, or wait for the \
             processor, the database or an instance.",
            &|pool| pool.heavy_places.load().taken,
        );
        write("lanterne_requests_waiting", "Requests that wait for an instance.", &|pool| pool.places.load().waiting);
        write("lanterne_instances_idle", "Instances that wait for requests.", &|pool| pool.instances.count().0);
        write("lanterne_instances_running", "Instances that work on requests.", &|pool| pool.instances.count().1);
    }

    async fn take_places(&self, is_heavy: bool, client: IpAddr) -> Option<(Place, Option<Place>)> {
        let heavy = if is_heavy { Some(self.heavy_places.take(client).await?) } else { None };
        Some((self.places.take(client).await?, heavy))
    }
}

/// Answers a request with an instance of its own, which is kept if it did not fail.
async fn answer_alone(instances: Arc<Instances>, job: Job) {
    let Job { request, reply, places: _places } = job;
    let line = line(&request);
    let answered = timeout(INSTANCE_TIMEOUT, try_answer_alone(&instances, request, reply)).await;
    if let Ok(Err(error)) = answered {
        log::error!(component = &*instances.name; "{line}: {}", cause(&error));
    }
}

async fn try_answer_alone(
    instances: &Instances,
    request: http::Request<WasiBody>,
    reply: oneshot::Sender<Response>,
) -> wasmtime::Result<()> {
    let mut instance = instances.take().await?;
    let service = &instance.service;
    let answer = async |accessor: &Accessor<_>| -> wasmtime::Result<()> {
        let response = instances::answer(accessor, service, request).await?.to_wasmtime_result()?;
        // An error means that the client has gone.
        let _ = reply.send(response);
        // The component may continue after its response.
        std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        Ok(())
    };
    repoll(instance.store.run_concurrent(answer)).await??;
    instance.request_count += 1;
    instances.give_back(instance);
    Ok(())
}

/// Names a request in the log.
pub(super) fn line(request: &http::Request<WasiBody>) -> String {
    let path: String = request.uri().path().escape_debug().take(LOGGED_PATH_MAX).collect();
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    format!("request {id}: {} {path}", request.method())
}
