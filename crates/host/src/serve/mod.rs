//! Listens, and hands requests to components.
//!
//! One thread reads and writes sockets; guests run on others. A guest that computes can then never
//! delay the accepting of a connection or the sending of a reply.

mod framing;
mod pool;
mod reply;
mod request;
mod routes;
mod upload;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use http::header::TRANSFER_ENCODING;
use http::{Response, StatusCode};
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

use crate::console::{self, Console, Mistake};
use crate::host::Host;
use crate::manifest::Manifest;
use crate::storage::limits::Limits;
use framing::Watched;
use pool::Pool;
use request::Origin;
use routes::{Route, Routes};

/// How long a client may take to send the head of a request, and how long it may keep a connection
/// without one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How many connections there may be at the same time; the system lets further ones wait. What each may make the
/// server keep is bounded, and so is all of it together.
const CONNECTIONS_MAX: usize = 1024;
/// How much of a request is read before the component takes it, its head included.
const BUFFER_SIZE_MAX: usize = 64 * 1024;
/// How long requests in flight may take once the server is told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long accepting pauses when it fails, as it does without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The components of an app behind their routes.
pub struct Server {
    routes: Routes<Arc<Pool>>,
    guests: Handle,
}

impl Server {
    /// Loads every component that a route of `manifest` leads to. Guests will run on `guests`.
    pub fn new(host: &Arc<Host>, manifest: &Manifest, guests: Handle) -> Result<Self> {
        let mut pools: Vec<(&str, Arc<Pool>)> = Vec::new();
        let mut routes = Vec::new();
        for trigger in &manifest.trigger.http {
            let name = trigger.component.as_str();
            let known = pools.iter().find(|(known, _)| *known == name);
            let pool = match known {
                Some((_, pool)) => pool.clone(),
                None => Arc::new(Pool::new(host.clone(), host.load(manifest, name, Limits::REQUEST)?)?),
            };
            pools.push((name, pool.clone()));
            routes.push(Route { raw: trigger.route.clone(), target: pool });
        }
        Ok(Self { routes: Routes::new(routes), guests })
    }

    /// Serves until a signal asks to stop, then lets the requests in flight end.
    pub fn run(self, listener: std::net::TcpListener, ready: impl FnOnce()) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the network thread")?;
        runtime.block_on(async move {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let connections = GracefulShutdown::new();
            ready();

            let accepting = accept(Arc::new(self), &listener, &connections);
            tokio::select! {
                never = accepting => match never {},
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            drop(listener);
            tokio::select! {
                () = connections.shutdown() => {}
                () = tokio::time::sleep(SHUTDOWN_TIMEOUT) => {}
                // Asked twice: now.
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        })
    }

    /// Answers one request.
    async fn answer(
        &self,
        request: http::Request<Incoming>,
        client: SocketAddr,
        server: SocketAddr,
    ) -> Response<WasiBody> {
        let path = request.uri().path().to_owned();
        let Some((route, tail)) = self.routes.find(&path) else {
            return reply::error(StatusCode::NOT_FOUND);
        };
        // Both waits end with the connection: who has gone holds nothing up.
        let (head, body) = request.into_parts();
        let body = match upload::receive(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let Some(permit) = route.target.permit().await else {
            return reply::overloaded();
        };
        let origin = Origin { client, server, route: &route.raw, prefix: route.prefix(), tail };
        let request = request::for_guest(head, body, &origin);
        let pool = route.target.clone();
        let answered = self.guests.spawn(async move { pool.answer(request, permit).await }).await;
        answered.unwrap_or_else(|_| reply::error(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

async fn accept(server: Arc<Server>, listener: &TcpListener, connections: &GracefulShutdown) -> Infallible {
    let places = Arc::new(Semaphore::new(connections_max()));
    loop {
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, client)) => serve_connection(&server, stream, client, connections, place.ok()),
            Err(error) => {
                console::fault(format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How many connections there may be. Half of the file descriptors stay for databases, and more are asked for if the
/// process may have more.
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

/// Serves a connection, which holds its `place` until it ends.
fn serve_connection(
    server: &Arc<Server>,
    stream: TcpStream,
    client: SocketAddr,
    connections: &GracefulShutdown,
    place: Option<OwnedSemaphorePermit>,
) {
    // A reply in two packets would wait for the client's delayed acknowledgement in between.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let server = server.clone();
    let stream = Watched::new(stream, BUFFER_SIZE_MAX);
    let has_two_lengths = stream.has_two_lengths();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let server = server.clone();
        let is_ambiguous = has_two_lengths.load(Ordering::Relaxed);
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        async move {
            let response = match is_ambiguous {
                true => reply::error(StatusCode::BAD_REQUEST),
                false => server.answer(request, client, local).await,
            };
            // Where it ends is what a proxy in front may see differently; see `framing`.
            Ok::<_, Infallible>(if is_last { reply::closing(response) } else { response })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_SIZE_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    // What goes wrong on a connection is the client's doing, and it cannot be told any more.
    tokio::spawn(async move {
        let _ = connection.await;
        drop(place);
    });
}

/// Takes the address before anything else is done, so that a taken one costs nothing.
pub fn bind(address: &str) -> Result<std::net::TcpListener> {
    use std::io::ErrorKind::{AddrInUse, InvalidInput};
    std::net::TcpListener::bind(address).map_err(|error| match error.kind() {
        AddrInUse => {
            anyhow!("{address} is taken by another program: stop it, or choose another address, as with --listen 127.0.0.1:8001")
        }
        InvalidInput => Mistake::new(format!("--listen {address}: {error}; must be ADDRESS:PORT")),
        _ => anyhow!("cannot listen on {address}: {error}"),
    })
}

/// Shows where the server can be reached.
pub fn announce(console: Console, address: SocketAddr, has_docs: bool) {
    console.announce(format_args!("Listening on http://{address}"));
    if has_docs {
        console.line(format_args!("\n  API    http://{address}"));
        console.line(format_args!("  Docs   http://{address}/docs"));
        console.line(format_args!("  Redoc  http://{address}/redoc"));
    }
    console.line("\nCtrl-C stops the server.");
}
