//! Requests that components send: `wasi:http/client@0.3` and `wasi:http/outgoing-handler@0.2`.
//!
//! Each request has a connection of its own. It runs in a task on the threads of the components, so that it goes on while
//! its component computes. The component gets a response once it is complete.

mod allowed_hosts;
mod connection;
mod exchange;
mod failure;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use http::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::instance::Grants;
pub(crate) use allowed_hosts::AllowedHosts;
use allowed_hosts::Destination;

/// The maximum number of concurrent requests of all components.
pub(crate) const REQUESTS_MAX: usize = 32;
/// The maximum number of concurrent requests of one instance. A response counts until the component has read or dropped it,
/// which bounds the memory of responses that it does not read.
const INSTANCE_REQUESTS_MAX: usize = 8;
/// How long a request may wait for its turn and for its connection, including DNS and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take in all, from the call of the component to the end of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What the requests of all components share.
pub(crate) struct Client {
    turns: Arc<Semaphore>,
    tls: OnceLock<TlsConnector>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(REQUESTS_MAX)), tls: OnceLock::new() }
    }

    /// Reads the trusted certificates, unless that has been done. It takes some milliseconds, so it is not left to the first
    /// request.
    ///
    /// # Errors
    /// The TLS library does not start.
    pub(crate) fn prepare_tls(&self) -> Result<()> {
        if self.tls.get().is_none() {
            let _ = self.tls.set(connection::tls()?);
        }
        Ok(())
    }
}

/// The requests of one instance.
#[derive(Clone)]
pub(crate) struct OutgoingRequests {
    grants: Arc<Grants>,
    turns: Arc<Semaphore>,
}

type Response = http::Response<WasiBody>;
type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl OutgoingRequests {
    pub(crate) fn new(grants: &Arc<Grants>) -> Self {
        Self { grants: grants.clone(), turns: Arc::new(Semaphore::new(INSTANCE_REQUESTS_MAX)) }
    }

    /// Sends a request and logs why it failed, with no more of its URL than the origin: the rest may be secret.
    async fn send(self, request: http::Request<WasiBody>, options: RequestOptions) -> Result<Response, Error> {
        let Some(destination) = Destination::of(request.uri()) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        let start = self.grants.outgoing.is_some().then(Instant::now);
        let result = match self.grants.allowed_hosts.allow(&destination) {
            true => timeout(REQUEST_TIMEOUT, self.send_to(&destination, request, options)).await,
            false => Ok(Err(Error::HttpRequestDenied)),
        };
        let result = result.unwrap_or(Err(Error::HttpResponseTimeout));
        if let (Some(durations), Some(start)) = (&self.grants.outgoing, start) {
            let histogram = match &result {
                Ok(_) => &durations.answered,
                Err(Error::HttpRequestDenied) => &durations.denied,
                Err(_) => &durations.failed,
            };
            histogram.observe(start.elapsed());
        }
        result.map_err(|error| {
            let component = &*self.grants.component;
            match error {
                Error::HttpRequestDenied => {
                    log::warn!(component; "request to {destination} denied: not in allowed_outbound_hosts of [component.{component}]");
                }
                _ => log::warn!(component; "request to {destination} failed: {error}"),
            }
            failure::code(error)
        })
    }

    async fn send_to(
        &self,
        destination: &Destination,
        request: http::Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response, Error> {
        if request.method() == Method::CONNECT {
            // Beyond a tunnel, nothing would be checked.
            return Err(Error::HttpRequestMethodInvalid);
        }
        let deadline = Instant::now() + options.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT);
        let own_turn = take_turn(&self.turns, deadline).await?;
        let turn = Arc::new(take_turn(&self.grants.client.turns, deadline).await?);
        let stream = connection::open(destination, &self.grants.client, &turn, deadline).await?;
        let response = exchange::run(stream, request, options).await?;
        Ok(response.map(|body| exchange::holding(body, own_turn)))
    }
}

async fn take_turn(turns: &Arc<Semaphore>, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
    let turn = timeout_at(deadline, turns.clone().acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or(Error::ConnectionLimitReached)
}

impl WasiHttpHooks for OutgoingRequests {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sending: Sending,
    ) -> Box<dyn Future<Output = Result<(Response, Sending), Error>> + Send> {
        let response = spawn(self.clone().send(request, options.unwrap_or_default()));
        // The exchange is complete when there is a response.
        Box::new(async { Ok((response.await?, Box::new(async { Ok(()) }) as Sending)) })
    }
}
