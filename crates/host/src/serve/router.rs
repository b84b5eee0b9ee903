//! The components behind their routes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use http::header::ORIGIN;
use http::{HeaderName, Request, StatusCode};
use hyper::body::Incoming;
use lanterne_client_address::ClientHeader;

use crate::HostConfig;
use crate::metrics::Metrics;
use crate::reload::Replaceable;
use crate::serve::activity::Activity;
use crate::serve::pool::Pool;
use crate::serve::request::{self, Origin};
use crate::serve::request_log::REQUEST_ID;
use crate::serve::response::Response;
use crate::serve::routes::{Route, Routes};

/// The components behind their routes.
pub(super) struct Router {
    routes: Routes<Arc<Replaceable<Pool>>>,
    pub(super) client_header: Option<ClientHeader>,
    /// The origins whose scripts may read the responses of the host itself.
    pub(super) cors_origins: Vec<String>,
    /// The headers that the response to a malformed request, and its line in the log, depend on.
    pub(super) kept_headers: Arc<[HeaderName]>,
    /// `None` if nothing is measured.
    pub(super) metrics: Option<Arc<Metrics>>,
}

/// The addresses of a request.
pub(super) struct Addresses {
    pub(super) sender: SocketAddr,
    /// The sender, or the client that a trusted proxy names.
    pub(super) client: IpAddr,
    pub(super) server: SocketAddr,
}

impl Router {
    /// Creates a router.
    ///
    /// # Errors
    /// The configuration has a name that no header can have.
    pub(super) fn new(
        routes: Vec<Route<Arc<Replaceable<Pool>>>>,
        config: &HostConfig,
        metrics: Option<Arc<Metrics>>,
    ) -> Result<Self> {
        let parse =
            |name: &String| ClientHeader::new(name).with_context(|| format!("{name:?} is not the name of a header"));
        let client_header = config.client_ip_header.as_ref().map(parse).transpose()?;
        let client_header_name = client_header.iter().map(|header| header.name().clone());
        Ok(Self {
            routes: Routes::new(routes),
            kept_headers: [ORIGIN, REQUEST_ID].into_iter().chain(client_header_name).collect(),
            client_header,
            cors_origins: config.cors_origins.clone(),
            metrics,
        })
    }

    /// Answers one request. Cancelled when the client closes the connection.
    ///
    /// # Errors
    /// The status with which the host itself must answer.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        addresses: Addresses,
        activity: &Activity,
    ) -> Result<Response, StatusCode> {
        let (head, body) = request.into_parts();
        // Also if there is no route: the next request begins after the body.
        let body = request::read_body(body).await?;
        let path = head.uri.path().to_owned();
        let (route, tail) = self.routes.find(&path).ok_or(StatusCode::NOT_FOUND)?;
        activity.begin_work();
        let Addresses { sender, client, server } = addresses;
        let origin = Origin { client: sender, server, route: &route.raw, prefix: route.prefix(), tail };
        let pool = route.target.get();
        pool.answer(request::for_component(head, body, &origin), client).await
    }
}
