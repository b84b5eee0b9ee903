//! Instances that answer several heavy requests at a time, so that a component can compute their hashes side by side.
//!
//! Requests are spread over one instance per processor first. A trap fails all requests of the instance. wasmtime cannot
//! cancel one of several calls, only drop the whole store (bytecodealliance/wasmtime#11833): an instance with an abandoned
//! request takes no further ones, and is dropped as soon as it has answered the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use wasmtime::component::{Accessor, AccessorTask};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p3::bindings::Service;

use crate::cause;
use crate::engine;
use crate::instance::InstanceState;
use crate::serve::instances::{self, Instance, Instances, REUSE_MAX};
use crate::serve::places::Place;
use crate::serve::pool::{self, INSTANCE_TIMEOUT, Job};
use crate::serve::response::Response;
use crate::serve::turn::repoll;

/// The instances of one component that are answering heavy requests.
pub(super) struct SharedInstances {
    instances: Arc<Instances>,
    threads: Handle,
    /// The maximum number of instances that accept requests.
    open_max: usize,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    last_id: u64,
    instances: BTreeMap<u64, RunningInstance>,
}

struct RunningInstance {
    /// `None` once all requests have been answered or abandoned. Closing the channel ends the instance.
    requests: Option<UnboundedSender<SharedRequest>>,
    /// Drops the instance while abandoned requests still run in it.
    stop: Arc<Notify>,
    in_flight: BTreeMap<u64, InFlight>,
    request_count: usize,
}

struct InFlight {
    /// Names the request in the log.
    line: String,
    stage: Stage,
    /// Held as long as the request may use the processor.
    _places: (Place, Option<Place>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Working,
    /// Nobody waits for the response.
    Abandoned,
    /// The last request of its instance, which may continue after the response.
    Answered,
}

/// A request for an instance.
struct SharedRequest {
    id: u64,
    request: http::Request<WasiBody>,
    reply: oneshot::Sender<Response>,
}

impl SharedInstances {
    /// Shares up to `open_max` of `instances`.
    pub(super) fn new(instances: Arc<Instances>, threads: Handle, open_max: usize) -> Self {
        Self { instances, threads, open_max, running: Mutex::default() }
    }

    /// Passes a request to a new instance, or to the one with the fewest requests if there are enough instances. Dropping
    /// the result abandons the request, unless it has been answered.
    pub(super) fn answer(self: &Arc<Self>, job: Job) -> InFlightGuard {
        let mut running = self.running();
        running.last_id += 1;
        let id = running.last_id;
        let open = || running.instances.iter().filter(|(_, instance)| instance.is_open());
        let instance_id = match open().min_by_key(|(_, instance)| instance.in_flight.len()) {
            Some((instance_id, _)) if open().count() >= self.open_max => *instance_id,
            _ => {
                let (requests, receiver) = mpsc::unbounded_channel();
                let stop = Arc::<Notify>::default();
                self.threads.spawn(self.clone().run(id, receiver, stop.clone(), self.instances.running()));
                running.instances.insert(id, RunningInstance::new(requests, stop));
                id
            }
        };
        if let Some(instance) = running.instances.get_mut(&instance_id) {
            instance.add(id, job);
        }
        InFlightGuard { shared: self.clone(), instance_id, id }
    }

    /// Runs an instance until it has no more requests. Keeps it if it can be reused.
    async fn run(
        self: Arc<Self>,
        id: u64,
        requests: UnboundedReceiver<SharedRequest>,
        stop: Arc<Notify>,
        _ticking: engine::Running,
    ) {
        let _guard = RunningGuard { shared: &self, id };
        let result = tokio::select! {
            result = self.try_run(id, requests) => result,
            () = stop.notified() => Ok(None),
        };
        let Some(ended) = self.running().instances.remove(&id) else { return };
        match result {
            Ok(Some(mut instance)) => {
                instance.request_count = ended.request_count;
                self.instances.give_back(instance);
            }
            Ok(None) => {}
            Err(error) => {
                for InFlight { line, .. } in ended.in_flight.values() {
                    log::error!(component = &*self.instances.name; "{line}: {}", cause(&error));
                }
            }
        }
    }

    /// Answers requests until the channel is closed. Returns the instance if it has become idle and can be reused.
    async fn try_run(
        self: &Arc<Self>,
        id: u64,
        mut requests: UnboundedReceiver<SharedRequest>,
    ) -> wasmtime::Result<Option<Instance>> {
        let mut instance = self.instances.take().await?;
        if let Some(running) = self.running().instances.get_mut(&id) {
            running.request_count += instance.request_count;
        }
        let service = &instance.service;
        let answer = async |accessor: &Accessor<_>| -> wasmtime::Result<bool> {
            while let Some(request) = requests.recv().await {
                let (service, shared) = (service.clone(), self.clone());
                accessor.spawn(Answer { instance_id: id, request, service, shared })?;
            }
            let idle = std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx));
            Ok(timeout(INSTANCE_TIMEOUT, idle).await.is_ok())
        };
        let is_idle = repoll(instance.store.run_concurrent(answer)).await??;
        Ok(is_idle.then_some(instance))
    }

    /// Records that a request has been answered or abandoned. Returns it if it no longer needs its places. Dropping it wakes
    /// requests that wait for places.
    fn set_stage(&self, instance_id: u64, id: u64, stage: Stage) -> Option<InFlight> {
        self.running().instances.get_mut(&instance_id).and_then(|instance| instance.set_stage(id, stage))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningInstance {
    fn new(requests: UnboundedSender<SharedRequest>, stop: Arc<Notify>) -> Self {
        Self { requests: Some(requests), stop, in_flight: BTreeMap::new(), request_count: 0 }
    }

    /// Returns whether it accepts further requests.
    fn is_open(&self) -> bool {
        self.requests.is_some()
            && self.request_count < REUSE_MAX
            && self.in_flight.values().all(|request| request.stage == Stage::Working)
    }

    fn add(&mut self, id: u64, job: Job) {
        let Job { request, reply, places } = job;
        self.request_count += 1;
        self.in_flight.insert(id, InFlight { line: pool::line(&request), stage: Stage::Working, _places: places });
        if let Some(requests) = &self.requests {
            // An error means that the instance has just failed: the request fails with the others.
            let _ = requests.send(SharedRequest { id, request, reply });
        }
    }

    /// Records that a request has been answered or abandoned. If no other is worked on, lets the instance end, and drops it
    /// if any has been abandoned. Returns the request if it no longer needs its places.
    fn set_stage(&mut self, id: u64, stage: Stage) -> Option<InFlight> {
        let request = self.in_flight.get_mut(&id).filter(|request| request.stage == Stage::Working)?;
        request.stage = stage;
        if self.in_flight.values().any(|request| request.stage == Stage::Working) {
            return if stage == Stage::Answered { self.in_flight.remove(&id) } else { None };
        }
        self.requests = None;
        if self.in_flight.values().any(|request| request.stage == Stage::Abandoned) {
            self.stop.notify_one();
        }
        None
    }
}

/// Removes an instance from those that run, also when running it panics, so that its requests give back their places.
struct RunningGuard<'a> {
    shared: &'a SharedInstances,
    id: u64,
}

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        let ended = self.shared.running().instances.remove(&self.id);
        // Drop it after the lock is released.
        drop(ended);
    }
}

/// A request in flight. Dropping it abandons the request, unless it has been answered.
pub(super) struct InFlightGuard {
    shared: Arc<SharedInstances>,
    instance_id: u64,
    id: u64,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        drop(self.shared.set_stage(self.instance_id, self.id, Stage::Abandoned));
    }
}

/// The task that answers one request.
struct Answer {
    instance_id: u64,
    request: SharedRequest,
    service: Arc<Service>,
    shared: Arc<SharedInstances>,
}

impl AccessorTask<InstanceState> for Answer {
    async fn run(self, accessor: &Accessor<InstanceState>) -> wasmtime::Result<()> {
        let SharedRequest { id, request, reply } = self.request;
        let line = pool::line(&request);
        let response = instances::answer(accessor, &self.service, request).await?;
        // Before the reply is sent: its receiver then drops the `InFlightGuard`, which would count the request as abandoned.
        let ended = self.shared.set_stage(self.instance_id, id, Stage::Answered);
        match response {
            // An error means that the client has gone.
            Ok(response) => drop(reply.send(response)),
            // Fails this request, and not those beside it.
            Err(error) => log::error!(component = &*self.shared.instances.name; "{line}: {error:#}"),
        }
        // After the reply: requests that this wakes may preempt this thread.
        drop(ended);
        Ok(())
    }
}
