//! The instances that answer requests: reused, one request at a time each, and limited in number.
//!
//! One at a time means that a trap costs one request. It costs no throughput.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use http::{Response, StatusCode};
use lanterne_core::client::printable;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance, InstantiationError, ProxyHandler, ProxyPre, ShouldAccept,
    TrapOrPanicError, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use crate::console;
use crate::engine::INSTANCES_MAX;
use crate::host::{Host, Loaded, first_line};
use crate::serve::reply;
use crate::state::State;

/// How long a request may wait for an instance.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a component may take to begin its reply, and then to end it. All instances may hash a password of cost 12
/// at the same time, which takes two processors some 15 seconds: several times that.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an instance is kept without work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many requests an instance answers. A new one starts with fresh memory.
const REUSE_MAX: usize = 1000;
/// The most of a request's method and path that goes into the log, in characters.
const LINE_LENGTH_MAX: usize = 200;
/// How often an instance looks whether its time is over.
const EXPIRATION_CHECK: Duration = Duration::from_secs(1);

/// The instances of one component.
pub(crate) struct Pool {
    handler: ProxyHandler<Instances>,
    permits: Arc<Semaphore>,
    name: String,
}

impl Pool {
    /// A pool for `component`. It is empty until requests come.
    pub(crate) fn new(host: Arc<Host>, component: Loaded) -> Result<Self> {
        let Loaded { name, pre, grants } = component;
        let pre = ServicePre::new(pre).map_err(|_| {
            anyhow!("the component {name:?} answers no requests: it does not export wasi:http/handler@0.3")
        })?;
        Ok(Self {
            handler: ProxyHandler::new(Instances { host, pre: ProxyPre::P3(pre), grants, name: name.clone() }),
            permits: Arc::new(Semaphore::new(INSTANCES_MAX)),
            name,
        })
    }

    /// Waits until an instance may answer one more request, for which the permit is to be kept. Whoever stops waiting,
    /// because its client has gone, gives up its place.
    pub(crate) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = tokio::time::timeout(PERMIT_TIMEOUT, self.permits.clone().acquire_owned()).await;
        permit.ok()?.ok()
    }

    /// Has an instance answer `request`, whatever happens.
    pub(crate) async fn answer(
        &self,
        request: http::Request<WasiBody>,
        _permit: OwnedSemaphorePermit,
    ) -> Response<WasiBody> {
        let line = printable(&format!("{} {}", request.method(), request.uri().path()), LINE_LENGTH_MAX);
        let _busy = self.handler.state().host.engine.busy();
        let error = match self.handler.handle(line.clone(), request).await {
            Ok(response) => return response,
            Err(error) => error,
        };
        // The cause of a trap is known where the instance ends, and logged there.
        if !error.is::<TrapOrPanicError>() {
            let cause = match error.downcast_ref::<InstantiationError<String>>() {
                Some(error) => error.error.root_cause().to_string(),
                None => error.root_cause().to_string(),
            };
            console::fault(format_args!("{line}: {}: {}", self.name, first_line(&cause)));
        }
        reply::error(match error.is::<ExpirationError>() {
            true => StatusCode::GATEWAY_TIMEOUT,
            false => StatusCode::INTERNAL_SERVER_ERROR,
        })
    }
}

/// Makes instances.
struct Instances {
    host: Arc<Host>,
    pre: ProxyPre<State>,
    grants: Arc<crate::state::Grants>,
    name: String,
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = State::new_store(&self.host.engine, &self.grants, &[]);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration::new(),
            state: Worker { host: self.host.clone(), name: self.name.clone(), last_request: Mutex::default() },
        })
    }
}

/// Ends an instance that is idle, or stuck.
struct Expiration {
    checks: Interval,
}

impl Expiration {
    fn new() -> Self {
        let mut checks = tokio::time::interval(EXPIRATION_CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { checks }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let limit = match status {
            WorkerStatus::Idle => IDLE_TIMEOUT,
            // The request ends first and has its reply; this is for a guest that never yields to it.
            WorkerStatus::Requests => REQUEST_TIMEOUT + 2 * EXPIRATION_CHECK,
            WorkerStatus::PostReturn => REQUEST_TIMEOUT,
        };
        loop {
            ready!(self.checks.poll_tick(cx));
            if start.elapsed() >= limit {
                return Poll::Ready(());
            }
        }
    }
}

/// What an instance accepts.
struct Worker {
    host: Arc<Host>,
    name: String,
    /// Method and path, for the log.
    last_request: Mutex<String>,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = String;

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        if total_count >= REUSE_MAX {
            ShouldAccept::Never
        } else if concurrent_count > 0 {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, State>,
        line: String,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        *self.last_request.lock().unwrap_or_else(PoisonError::into_inner) = line;
        Box::pin(tokio::time::sleep(REQUEST_TIMEOUT))
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result
            && !self.host.is_stopping.load(Ordering::Relaxed)
        {
            let cause = error.root_cause().to_string();
            let line = self.last_request.lock().unwrap_or_else(PoisonError::into_inner);
            console::fault(format_args!("{line}: {}: {}", self.name, first_line(&cause)));
        }
        drop(store);
    }
}
