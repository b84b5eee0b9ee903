//! Listens for connections and passes requests to components.
//!
//! One thread does all socket I/O; components run on others, so that they delay neither new connections nor responses. Heavy
//! requests have threads of their own, with a lower priority.

mod activity;
mod capacity;
mod connections;
mod exporter;
mod head;
mod heavy;
mod instances;
mod places;
mod pool;
mod request;
mod request_log;
mod response;
mod router;
mod routes;
mod shared;
mod stream;
mod turn;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http::Request;
use http::header::{ORIGIN, TRANSFER_ENCODING};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::reload::{Reloader, Replaceable, Role};
use crate::schedule::{self, Job};
use crate::{Host, command};
use capacity::{CONNECTIONS_MAX, Capacity};
use connections::{Admitted, Connections};
use exporter::Exporter;
use head::HEAD_SIZE_MAX;
pub(crate) use heavy::HeavyRequests;
pub(crate) use pool::Pool;
use request_log::LoggedRequest;
use router::{Addresses, Router};
use routes::Route;
use stream::{ANNOUNCEMENT, InspectedStream};
pub(crate) use turn::must_yield;

/// How long a client may take to send the head of a request, and how long it may keep an idle connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may read nothing of a response.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stopping server waits for a client that makes no progress.
const UNREAD_TIMEOUT_STOPPING: Duration = Duration::from_secs(1);
/// How often unread responses are checked.
const UNREAD_CHECK: Duration = Duration::from_secs(1);
const UNREAD_CHECK_STOPPING: Duration = Duration::from_millis(50);
/// The size of a connection's send buffer, in bytes. The system would let it grow to megabytes, also for clients that do not
/// read, and would copy as much at once on the network thread. A client with a round trip of 100 ms still gets a megabyte
/// per second.
const SEND_BUFFER_SIZE: usize = 128 * 1024;
/// How long components may take to end after the last connection.
const COMPONENTS_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause after a failed accept, which usually means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An HTTP server with its loaded components.
pub struct Server {
    host: Arc<Host>,
    router: Arc<Router>,
    capacity: Capacity,
    /// By name.
    components: BTreeMap<String, Role>,
}

/// The settings of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig {
    /// The most connections of one client: an IPv4 address, or an IPv6 /64 network. `None` is unlimited, for a server
    /// behind a proxy, which is the only client.
    pub client_connections_max: Option<usize>,
    /// How long requests in flight may take after a signal to stop.
    pub stop_timeout: Duration,
}

impl ServerConfig {
    /// The default of [`Self::client_connections_max`]: half of all connections.
    pub const CLIENT_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 2;
}

/// A change of state that a running server reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It accepts connections.
    Listening,
    /// It has received a signal to stop, and accepts no more connections.
    Stopping,
}

impl Server {
    /// Checks that the limits of this process allow a server, as creating one does. Raises a low soft limit of open
    /// files.
    ///
    /// # Errors
    /// A limit is too low.
    pub fn check_limits() -> Result<()> {
        Capacity::of_process().map(drop)
    }

    pub(crate) fn new(host: Host) -> Result<Self> {
        let capacity = Capacity::of_process()?;
        let (mut components, mut routes) = (BTreeMap::new(), Vec::new());
        for trigger in &host.app().main.trigger.http {
            let name = &trigger.component;
            let target = match components.get(name) {
                Some(Role::Http(pool)) => Arc::clone(pool),
                _ => Arc::new(Replaceable::new(Pool::of(&host, name, capacity.instances)?)),
            };
            components.insert(name.clone(), Role::Http(target.clone()));
            routes.push(Route { raw: trigger.route.clone(), target });
        }
        let router = Router::new(routes, &host.config, host.metrics.clone())?;
        Ok(Self { router: Arc::new(router), capacity, host: Arc::new(host), components })
    }

    /// Runs the command component `name` now, and then every `interval` until the server stops, unless `runs_max` runs are
    /// still going on. Its output goes to the log.
    ///
    /// # Errors
    /// There is no such command, or it imports what it is not granted.
    pub fn schedule<S: AsRef<str>>(
        &mut self,
        name: &str,
        arguments: &[S],
        interval: Duration,
        runs_max: usize,
    ) -> Result<()> {
        let command = Replaceable::new(Arc::new(self.host.load_command(name)?));
        let arguments = command::arguments(name, arguments);
        let job = Arc::new(Job { engine: self.host.engine.clone(), command, arguments });
        self.components.insert(name.to_owned(), Role::Command(job.clone()));
        self.host.threads.spawn(schedule::repeat(job, interval, runs_max));
        Ok(())
    }

    /// Returns what replaces components while the server runs, also those scheduled so far.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        let (host, components) = (Arc::downgrade(&self.host), self.components.clone());
        Reloader { host, components, instances_max: self.capacity.instances }
    }

    /// Serves until SIGTERM or SIGINT, then waits for requests in flight until they end, the timeout expires or a second
    /// signal arrives. Returns the number of requests that were cut off. On the listener `metrics`, serves what the host
    /// measures, until the end.
    ///
    /// # Errors
    /// The system refuses a thread, a signal handler or the listener.
    pub fn run(
        self,
        listener: std::net::TcpListener,
        metrics: Option<std::net::TcpListener>,
        config: &ServerConfig,
        on_event: impl FnMut(Event),
    ) -> Result<usize> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the network thread")?;
        let connections = Connections::new(self.capacity.connections, config.client_connections_max);
        if let (Some(listener), Some(measured)) = (metrics, &self.host.metrics) {
            let databases = self.host.databases.iter().map(|(name, database)| (name.clone(), database.clone()));
            let exporter = Exporter {
                metrics: measured.clone(),
                pools: self.components.values().filter_map(Role::pool).collect(),
                connections: connections.clone(),
                databases: databases.collect(),
                key_value_file: self.host.config.state_dir.key_value_file(),
            };
            let _context = runtime.enter();
            exporter.start(listener)?;
        }
        let cut_off = runtime.block_on(serve(self.router, listener, connections, config.stop_timeout, on_event))?;
        // Drops the connections, which cancels their heavy requests, while the threads that run these are still alive.
        drop(runtime);
        // Otherwise a component is being replaced, and the end of the process ends the threads.
        if let Some(host) = Arc::into_inner(self.host) {
            let (threads, heavy_threads) = (host.threads, host.heavy_threads);
            std::thread::scope(|scope| {
                scope.spawn(|| heavy_threads.shutdown_timeout(COMPONENTS_TIMEOUT));
                threads.shutdown_timeout(COMPONENTS_TIMEOUT);
            });
        }
        Ok(cut_off)
    }
}

async fn serve(
    router: Arc<Router>,
    listener: std::net::TcpListener,
    connections: Arc<Connections>,
    stop_timeout: Duration,
    mut on_event: impl FnMut(Event),
) -> Result<usize> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    listener.set_nonblocking(true)?;
    // Accepted connections inherit it.
    set_socket_send_buffer_size(&listener, SEND_BUFFER_SIZE)?;
    let listener = TcpListener::from_std(listener)?;
    let graceful = GracefulShutdown::new();
    on_event(Event::Listening);
    tokio::select! {
        never = accept(&router, &listener, &connections, &graceful) => match never {},
        never = cut_unread(&connections) => match never {},
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(listener);
    on_event(Event::Stopping);
    let mut cut_off = 0;
    tokio::select! {
        () = graceful.shutdown() => {}
        never = cut_idle(&connections, &mut cut_off) => match never {},
        () = tokio::time::sleep(stop_timeout) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(cut_off + connections.in_flight())
}

async fn accept(
    router: &Arc<Router>,
    listener: &TcpListener,
    connections: &Arc<Connections>,
    graceful: &GracefulShutdown,
) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // A connection that is not admitted is closed here.
                if let Some(admitted) = connections.admit(client.ip()).await {
                    serve_connection(router.clone(), stream, client, graceful, connections.clone(), admitted);
                }
            }
            Err(error) => {
                log::error!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Closes connections whose clients do not read.
async fn cut_unread(connections: &Connections) -> Infallible {
    loop {
        tokio::time::sleep(UNREAD_CHECK).await;
        connections.cut_unread(UNREAD_TIMEOUT);
    }
}

/// Closes connections whose clients keep the stopping server waiting, and counts the requests that are cut off.
async fn cut_idle(connections: &Connections, cut_off: &mut usize) -> Infallible {
    loop {
        tokio::time::sleep(UNREAD_CHECK_STOPPING).await;
        *cut_off += connections.cut_idle(UNREAD_TIMEOUT_STOPPING);
    }
}

fn serve_connection(
    router: Arc<Router>,
    stream: TcpStream,
    client: SocketAddr,
    graceful: &GracefulShutdown,
    connections: Arc<Connections>,
    admitted: Admitted,
) {
    // With Nagle's algorithm, the second packet of a response would wait for a delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(server) = stream.local_addr() else {
        return;
    };
    let activity = admitted.activity.clone();
    let stream = InspectedStream::new(stream, activity.clone(), router.kept_headers.clone());
    let refusal = stream.refusal();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (router, connections, activity) = (router.clone(), connections.clone(), activity.clone());
        let refused = refusal.status();
        // The stream does not find the end of a chunked body.
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        let origin = request.headers().get(ORIGIN).cloned();
        let logged = LoggedRequest::new(&mut request, client, router.client_header.as_ref(), router.metrics.as_ref());
        async move {
            activity.begin_request();
            let answered = match refused {
                Some(status) => Err(status),
                None => {
                    let addresses = Addresses { sender: client, client: logged.client(), server };
                    router.answer(request, addresses, &activity).await
                }
            };
            let refusal = |status| response::refusal(status, origin.as_ref(), &router.cors_origins);
            let mut response = answered.unwrap_or_else(refusal);
            logged.end(&mut response);
            let size = response.body().size_hint().lower();
            connections.begin_response(&activity, usize::try_from(size).unwrap_or(usize::MAX));
            Ok::<_, Infallible>(if is_last || connections.must_end(client.ip()) {
                response::closing(response)
            } else {
                response
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_SIZE_MAX + ANNOUNCEMENT.len())
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            // The client caused the error and is no longer reachable.
            ended = connection => if let Err(error) = ended {
                log::debug!(client:% = client; "connection: {error}");
            },
            () = admitted.activity.is_cut() => {}
        }
    });
}
