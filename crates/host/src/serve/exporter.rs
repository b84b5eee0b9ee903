//! The endpoint of the metrics, on a listener of its own.
//!
//! It runs on the network thread, which computing components do not delay. A connection gets one response.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::metrics::exposition::{self, Exposition, Kind, labels};
use crate::reload::Replaceable;
use crate::serve::ACCEPT_PAUSE;
use crate::serve::connections::Connections;
use crate::serve::pool::Pool;
use crate::serve::response::Response;
use crate::storage::Database;

/// The maximum number of concurrent connections. Others wait until one ends. Their files are among those that
/// [`capacity`](super::capacity) reserves.
const CONNECTIONS_MAX: usize = 4;
/// How long a connection may take in all.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest head of a request, in bytes.
const HEAD_SIZE_MAX: usize = 16 * 1024;

/// Answers with the metrics of a server.
pub(super) struct Exporter {
    pub(super) metrics: Arc<Metrics>,
    pub(super) pools: Vec<Arc<Replaceable<Pool>>>,
    pub(super) connections: Arc<Connections>,
    pub(super) databases: BTreeMap<String, Database>,
    pub(super) key_value_file: PathBuf,
}

impl Exporter {
    /// Serves on `listener` until the runtime of this thread ends.
    ///
    /// # Errors
    /// The system refuses the listener.
    pub(super) fn start(self, listener: std::net::TcpListener) -> Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(Arc::new(self).accept(listener));
        Ok(())
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) -> Infallible {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // Never closed.
            let place = places.clone().acquire_owned().await.ok();
            match listener.accept().await {
                Ok((stream, _)) => {
                    let exporter = self.clone();
                    tokio::spawn(async move {
                        // An error means that the client has gone, or sent no HTTP.
                        let _ = timeout(CONNECTION_TIMEOUT, exporter.serve(stream)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    log::error!("cannot accept a connection for metrics: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) -> hyper::Result<()> {
        let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(self.answer(&request))));
        let mut builder = http1::Builder::new();
        // The connection has a timeout of its own.
        builder.keep_alive(false).header_read_timeout(None).max_buf_size(HEAD_SIZE_MAX);
        builder.serve_connection(TokioIo::new(stream), service).await
    }

    fn answer<B>(&self, request: &Request<B>) -> Response {
        let refusal = |status: StatusCode| {
            let text = format!("{}\n", status.canonical_reason().unwrap_or_default());
            let mut response = Response::new(Bytes::from(text).into());
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            response
        };
        if request.uri().path() != "/metrics" {
            return refusal(StatusCode::NOT_FOUND);
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut response = Response::new(Bytes::from(self.text()).into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition::CONTENT_TYPE));
        response
    }

    fn text(&self) -> String {
        let mut text = Exposition::default();
        self.metrics.write(&mut text);
        let pools: Vec<_> = self.pools.iter().map(|pool| pool.get()).collect();
        Pool::write_gauges(&pools, &mut text);
        text.gauge("lanterne_http_connections", "Open connections.", self.connections.count());
        let in_flight = self.connections.in_flight();
        text.gauge("lanterne_http_requests_in_flight", "Requests that are received or answered.", in_flight);
        self.write_files(&mut text);
        text.into_text()
    }

    fn write_files(&self, text: &mut Exposition) {
        for (name, help, suffix) in [
            ("lanterne_database_size_bytes", "The size of the database file, without its write-ahead log.", ""),
            ("lanterne_database_wal_size_bytes", "The size of the write-ahead log of the database.", "-wal"),
        ] {
            text.family(name, Kind::Gauge, help);
            for (database, file) in &self.databases {
                text.sample(name, &labels(&[("database", database)]), size(file.path(), suffix));
            }
        }
        for (name, help, suffix) in [
            ("lanterne_key_value_size_bytes", "The size of the key-value file, without its write-ahead log.", ""),
            ("lanterne_key_value_wal_size_bytes", "The size of the write-ahead log of the key-value file.", "-wal"),
        ] {
            text.gauge(name, help, size(&self.key_value_file, suffix));
        }
    }
}

/// Returns the size of the file that begins with `path` and ends with `suffix`; 0 if there is none.
fn size(path: &Path, suffix: &str) -> u64 {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    fs::metadata(name).map_or(0, |file| file.len())
}
