//! Listens for connections and passes requests to components.
//!
//! One thread does all socket I/O; components run on others. A computing component can thus never delay accepting a
//! connection or sending a response.

mod framing;
mod pool;
mod request;
mod response;
mod routes;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http::header::TRANSFER_ENCODING;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::WasiBody;

use crate::Host;
use crate::storage::Limits;
use framing::InspectedStream;
use pool::Pool;
use request::Origin;
use routes::{Route, Routes};

/// How long a client may take to send the head of a request, and how long it may keep an idle connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most connections at the same time; the system queues further ones.
const CONNECTIONS_MAX: usize = 1024;
/// The most of a request that is buffered before a component takes it, head included, in bytes.
const BUFFER_SIZE_MAX: usize = 64 * 1024;
/// How long requests in flight may take after a signal to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long components may take to end after that.
const COMPONENTS_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause after a failed accept, which usually means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An HTTP server with its loaded components.
pub struct Server {
    host: Host,
    router: Arc<Router>,
}

/// The components behind their routes.
struct Router {
    routes: Routes<Arc<Pool>>,
    components: Handle,
}

impl Server {
    pub(crate) fn new(host: Host) -> Result<Self> {
        let manifest = &host.app().main;
        let mut pools: HashMap<&str, Arc<Pool>> = HashMap::new();
        let mut routes = Vec::new();
        for trigger in &manifest.trigger.http {
            let name = trigger.component.as_str();
            if !pools.contains_key(name) {
                let component = host.load(manifest, name, Limits::REQUEST)?;
                pools.insert(name, Arc::new(Pool::new(host.engine.clone(), component)?));
            }
            routes.push(Route { raw: trigger.route.clone(), target: pools[name].clone() });
        }
        let router = Router { routes: Routes::new(routes), components: host.threads.handle().clone() };
        Ok(Self { host, router: Arc::new(router) })
    }

    /// Serves until SIGTERM or SIGINT, then waits for requests in flight: for ten seconds at most, or until a second
    /// signal. Calls `ready` when it accepts connections. May raise the process's soft limit of open files.
    ///
    /// # Errors
    /// The system refuses a thread, a signal handler or the listener.
    pub fn run(self, listener: std::net::TcpListener, ready: impl FnOnce()) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("cannot start the network thread")?.block_on(serve(self.router, listener, ready))?;
        self.host.engine.is_stopping.store(true, Ordering::Relaxed);
        self.host.threads.shutdown_timeout(COMPONENTS_TIMEOUT);
        Ok(())
    }
}

async fn serve(router: Arc<Router>, listener: std::net::TcpListener, ready: impl FnOnce()) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let connections = GracefulShutdown::new();
    ready();
    tokio::select! {
        never = accept(&router, &listener, &connections) => match never {},
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = tokio::time::sleep(SHUTDOWN_TIMEOUT) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn accept(router: &Arc<Router>, listener: &TcpListener, connections: &GracefulShutdown) -> Infallible {
    let permits = Arc::new(Semaphore::new(connections_max()));
    loop {
        let permit = permits.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, client)) => serve_connection(router.clone(), stream, client, connections, permit.ok()),
            Err(error) => {
                log::error!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Returns the most connections to accept: half of the file descriptors are reserved for databases. Raises a low soft
/// limit of descriptors.
fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = 4 * CONNECTIONS_MAX as u64;
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    }
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    files.map_or(CONNECTIONS_MAX, |files| (files / 2).clamp(1, CONNECTIONS_MAX))
}

/// Serves a connection, which holds `permit` until it ends.
fn serve_connection(
    router: Arc<Router>,
    stream: TcpStream,
    client: SocketAddr,
    connections: &GracefulShutdown,
    permit: Option<OwnedSemaphorePermit>,
) {
    // With Nagle's algorithm, the second packet of a response would wait for a delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(server) = stream.local_addr() else {
        return;
    };
    let stream = InspectedStream::new(stream, BUFFER_SIZE_MAX);
    let is_ambiguous = stream.is_ambiguous();
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        let is_ambiguous = is_ambiguous.load(Ordering::Relaxed);
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        async move {
            let response = match is_ambiguous {
                true => response::error(StatusCode::BAD_REQUEST),
                false => router.answer(request, client, server).await,
            };
            Ok::<_, Infallible>(if is_last { response::closing(response) } else { response })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_SIZE_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // An error here is the client's, which is no longer reachable.
        let _ = connection.await;
        drop(permit);
    });
}

impl Router {
    /// Answers one request. Cancelled when the client closes the connection.
    async fn answer(&self, request: Request<Incoming>, client: SocketAddr, server: SocketAddr) -> Response<WasiBody> {
        let path = request.uri().path().to_owned();
        let Some((route, tail)) = self.routes.find(&path) else {
            return response::error(StatusCode::NOT_FOUND);
        };
        let (head, body) = request.into_parts();
        let body = match request::read_body(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let Some(permit) = route.target.permit().await else {
            return response::overloaded();
        };
        let origin = Origin { client, server, route: &route.raw, prefix: route.prefix(), tail };
        let request = request::for_component(head, body, &origin);
        let pool = route.target.clone();
        let answered = self.components.spawn(async move { pool.answer(request, permit).await }).await;
        answered.unwrap_or_else(|_| response::error(StatusCode::INTERNAL_SERVER_ERROR))
    }
}
