//! The one table of routes: method, path, handler.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

use http::{HeaderValue, Method, StatusCode, header};
use lanterne_core::error::Error;
use percent_encoding::percent_decode_str;

use crate::call::Call;
use crate::handlers::{auth, health};
use crate::reply::{Reply, empty};

/// The path that answers even when nothing is configured.
pub(crate) const HEALTH: &str = "/healthz";

/// One line of the table.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    pub(crate) handler: Handler,
}

/// A handler as the table holds it.
type Handler = for<'a> fn(&'a Call<'a>) -> Answer<'a>;
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + 'a>>;

static ROUTES: [Route; 5] = [
    Route { method: Method::GET, path: "/", handler: |call| Box::pin(health::root(call)) },
    Route { method: Method::GET, path: HEALTH, handler: |call| Box::pin(health::health(call)) },
    Route { method: Method::POST, path: "/auth/register", handler: |call| Box::pin(auth::register(call)) },
    Route { method: Method::POST, path: "/auth/login", handler: |call| Box::pin(auth::login(call)) },
    Route { method: Method::POST, path: "/auth/refresh", handler: |call| Box::pin(auth::refresh(call)) },
];

/// What the table says of a request.
pub(crate) enum Match {
    /// This line is for it.
    Route(&'static Route),
    /// The path is there, with these methods only.
    OtherMethods(String),
    /// The path is there with a slash more or less at its end.
    OtherSlash(String),
    /// No such path.
    Nothing,
}

/// Looks a request up; `path` is decoded.
pub(crate) fn find(method: &Method, path: &str) -> Match {
    if let Some(lines) = lines(path) {
        let route = lines.iter().find(|route| route.method == *method);
        return route.map_or_else(
            || Match::OtherMethods(lines.iter().map(|route| route.method.as_str()).collect::<Vec<_>>().join(", ")),
            |route| Match::Route(route),
        );
    }
    let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
    if lines(&other).is_some() { Match::OtherSlash(other) } else { Match::Nothing }
}

/// The lines of one path, for every method that it has.
fn lines(path: &str) -> Option<&'static [&'static Route]> {
    static ROUTER: OnceLock<matchit::Router<Vec<&'static Route>>> = OnceLock::new();
    let router = ROUTER.get_or_init(|| {
        let mut router = matchit::Router::new();
        for route in &ROUTES {
            let lines = ROUTES.iter().filter(|other| other.path == route.path).collect();
            // A path that is already in is one with several methods; all its lines went in with the first.
            let _ = router.insert(route.path, lines);
        }
        router
    });
    router.at(path).ok().map(|found| found.value.as_slice())
}

/// A path as the table has it. Servers in Python route on the decoded path, and so must we.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// 307 to the same path with the slash as the table has it, query kept. Relative, since an absolute one would repeat
/// whatever the client wrote into `Host` (RFC 9110, section 10.2.2, allows both).
pub(crate) fn redirect(path: &str, query: Option<&str>) -> Reply {
    let location = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut reply = empty(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&location) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}
