//! The instances that answer requests: reused, limited in number, and with one request at a time each, so that a trap
//! fails only one request. Throughput does not suffer.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use http::{Response, StatusCode};
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

use crate::cause;
use crate::engine::{Engine, INSTANCES_MAX};
use crate::host::LoadedComponent;
use crate::instance::{Grants, InstanceState};
use crate::serve::response;

/// How long a request may wait for an instance.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a component may take to begin its response, and then to end it. Hashing a password in all instances at the
/// same time takes some 15 s on two processors.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an idle instance is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many requests an instance answers before a new one with fresh memory takes its place.
const REUSE_MAX: usize = 1000;
/// The most of a request's path that is logged, in characters.
const LOGGED_PATH_MAX: usize = 200;
/// How often an instance checks its timeouts.
const EXPIRATION_CHECK: Duration = Duration::from_secs(1);

/// The instances of one component.
pub(crate) struct Pool {
    handler: ProxyHandler<Instances>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// Creates an empty pool for `component`.
    pub(crate) fn new(engine: Arc<Engine>, component: LoadedComponent) -> Result<Self> {
        let LoadedComponent { name, pre, grants } = component;
        let pre = ServicePre::new(pre).map_err(|_| {
            anyhow!("the component {name:?} answers no requests: it does not export wasi:http/handler@0.3")
        })?;
        let instances = Instances { engine, pre: ProxyPre::P3(pre), grants, name: name.into() };
        Ok(Self { handler: ProxyHandler::new(instances), permits: Arc::new(Semaphore::new(INSTANCES_MAX)) })
    }

    /// Waits for permission to call [`Self::answer`]; hold the permit during the call. `None` on timeout.
    pub(crate) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = tokio::time::timeout(PERMIT_TIMEOUT, self.permits.clone().acquire_owned()).await;
        permit.ok()?.ok()
    }

    /// Answers `request` with an instance. A failure is logged and becomes an error response.
    pub(crate) async fn answer(
        &self,
        request: http::Request<WasiBody>,
        _permit: OwnedSemaphorePermit,
    ) -> Response<WasiBody> {
        let path: String = request.uri().path().escape_debug().take(LOGGED_PATH_MAX).collect();
        let line = format!("{} {path}", request.method());
        let instances = self.handler.state();
        let _busy = instances.engine.busy();
        let error = match self.handler.handle(line.clone(), request).await {
            Ok(response) => return response,
            Err(error) => error,
        };
        // `Worker::drop` logs the cause of a trap.
        if !error.is::<TrapOrPanicError>() {
            let inner = error.downcast_ref::<InstantiationError<String>>().map_or(&error, |failed| &failed.error);
            log::error!("{line}: {}: {}", instances.name, cause(inner));
        }
        response::error(match error.is::<ExpirationError>() {
            true => StatusCode::GATEWAY_TIMEOUT,
            false => StatusCode::INTERNAL_SERVER_ERROR,
        })
    }
}

/// Creates instances.
struct Instances {
    engine: Arc<Engine>,
    pre: ProxyPre<InstanceState>,
    grants: Arc<Grants>,
    name: Arc<str>,
}

impl HandlerState for Instances {
    type StoreData = InstanceState;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<InstanceState, Expiration, Worker>> {
        let mut store = InstanceState::new_store(&self.engine, &self.grants, &[]);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        let mut checks = tokio::time::interval(EXPIRATION_CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let worker = Worker { engine: self.engine.clone(), name: self.name.clone(), last_request: Mutex::default() };
        Ok(Instance { store, proxy, view: InstanceState::http, expiration: Expiration { checks }, state: worker })
    }
}

/// Ends an instance that is idle or stuck.
struct Expiration {
    checks: Interval,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let limit = match status {
            WorkerStatus::Idle => IDLE_TIMEOUT,
            // The request itself times out first, with a response; this catches a component that never yields.
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

/// Decides whether an instance accepts a request, and logs why it ended.
struct Worker {
    engine: Arc<Engine>,
    name: Arc<str>,
    /// Method and path.
    last_request: Mutex<String>,
}

impl WorkerState for Worker {
    type StoreData = InstanceState;
    type RequestData = String;

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        match (concurrent_count, total_count) {
            (_, REUSE_MAX..) => ShouldAccept::Never,
            (0, _) => ShouldAccept::Yes,
            _ => ShouldAccept::No,
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, InstanceState>,
        line: String,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        *self.last_request.lock().unwrap_or_else(PoisonError::into_inner) = line;
        Box::pin(tokio::time::sleep(REQUEST_TIMEOUT))
    }

    fn drop(&self, store: Store<InstanceState>, result: wasmtime::Result<()>) {
        if let Err(error) = result
            && !self.engine.is_stopping.load(Ordering::Relaxed)
        {
            let line = self.last_request.lock().unwrap_or_else(PoisonError::into_inner);
            log::error!("{line}: {}: {}", self.name, cause(&error));
        }
        drop(store);
    }
}
