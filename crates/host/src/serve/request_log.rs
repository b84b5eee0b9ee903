//! The log line and the measured duration of each request, and its id in the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Response};
use lanterne_client_address::ClientHeader;
use log::Level;
use uuid::Uuid;

use crate::metrics::{Metrics, RouteIndex};

/// The header with the id of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is accepted from a client, in bytes.
const REQUEST_ID_SIZE_MAX: usize = 64;
/// The maximum length of a logged path, in characters.
const PATH_CHARS_MAX: usize = 200;
/// The logged status of a request whose client left before the response began, as in nginx.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A request in flight. Dropping it writes its line, and adds it to the metrics.
pub(crate) struct LoggedRequest {
    start: Instant,
    id: HeaderValue,
    method: Method,
    path: String,
    client: IpAddr,
    status: u16,
    /// `None` if nothing is measured.
    measured: Option<(Arc<Metrics>, RouteIndex)>,
}

impl LoggedRequest {
    /// Starts from the head of a request. Keeps its `X-Request-Id` if that is a plain token, and sets a new one
    /// otherwise, for the component. The client is the one that a trusted proxy names in `client_header`, or else the
    /// sender; the component finds the same address in that header.
    pub(crate) fn new<B>(
        request: &mut Request<B>,
        sender: SocketAddr,
        client_header: Option<&ClientHeader>,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        let headers = request.headers_mut();
        let given = headers.get(&REQUEST_ID).filter(|id| is_plain(id.as_bytes())).cloned();
        let id = given.unwrap_or_else(|| {
            let new = Uuid::new_v4().to_string();
            HeaderValue::try_from(new).unwrap_or(HeaderValue::from_static("unknown"))
        });
        headers.insert(REQUEST_ID, id.clone());
        let sender = sender.ip().to_canonical();
        let client = client_header.map_or(sender, |header| {
            let client = header.read(headers, |fault| log::warn!("{fault}")).unwrap_or(sender);
            header.write(headers, client);
            client
        });
        Self {
            start: Instant::now(),
            id,
            method: request.method().clone(),
            path: request.uri().path().chars().take(PATH_CHARS_MAX).collect(),
            client,
            status: CLIENT_CLOSED_REQUEST,
            measured: metrics.map(|metrics| (metrics.clone(), metrics.requests.route(request.uri().path()))),
        }
    }

    /// Returns the address of the client.
    pub(crate) fn client(&self) -> IpAddr {
        self.client
    }

    /// Records the status of `response`, and adds the request's id to it unless it has one.
    pub(crate) fn end<B>(mut self, response: &mut Response<B>) {
        self.status = response.status().as_u16();
        response.headers_mut().entry(REQUEST_ID).or_insert(self.id.clone());
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        let elapsed = self.start.elapsed();
        if let Some((metrics, route)) = &self.measured {
            metrics.requests.observe(*route, &self.method, self.status, elapsed);
        }
        let level = match self.status {
            503 => Level::Warn,
            500.. => Level::Error,
            _ => Level::Info,
        };
        log::log!(
            level,
            request_id = self.id.to_str().unwrap_or_default(),
            method = self.method.as_str(),
            path = self.path.as_str(),
            status = self.status,
            ms = (elapsed.as_secs_f64() * 10_000.0).round() / 10.0,
            client:% = self.client;
            "request"
        );
    }
}

fn is_plain(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=REQUEST_ID_SIZE_MAX).contains(&id.len()) && id.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(headers: &[(&'static str, &'static str)]) -> (LoggedRequest, Request<()>) {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let sender = SocketAddr::from(([127, 0, 0, 1], 1234));
        let header = ClientHeader::new("x-forwarded-for").expect("a name");
        let logged = LoggedRequest::new(&mut request, sender, Some(&header), None);
        (logged, request)
    }

    #[test]
    fn only_a_plain_id_is_kept() {
        let (request, _) = logged(&[("x-request-id", "a-1_B.2")]);
        assert_eq!(request.id, "a-1_B.2");
        for given in ["", "a b", "a=b", "\"", &"a".repeat(65)] {
            let given: &'static str = given.to_owned().leak();
            let (logged, request) = logged(&[("x-request-id", given)]);
            assert_eq!(logged.id.len(), 36, "{given}");
            assert_eq!(request.headers()["x-request-id"], logged.id);
        }
    }

    #[test]
    fn the_response_has_the_id() {
        let (request, _) = logged(&[("x-request-id", "mine")]);
        let mut response = Response::new(());
        request.end(&mut response);
        assert_eq!(response.headers()["x-request-id"], "mine");
    }

    #[test]
    fn the_component_finds_the_logged_client() {
        for (headers, client) in [
            (vec![], "127.0.0.1"),
            (vec![("x-forwarded-for", "192.0.2.1, 192.0.2.2")], "192.0.2.2"),
            (vec![("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "2001:db8::1")], "2001:db8::1"),
            (vec![("x-forwarded-for", "somebody")], "127.0.0.1"),
        ] {
            let (logged, request) = logged(&headers);
            assert_eq!(logged.client.to_string(), client);
            let found: Vec<_> = request.headers().get_all("x-forwarded-for").iter().collect();
            assert_eq!(found, [client]);
        }
    }
}
