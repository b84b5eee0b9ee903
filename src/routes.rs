//! The one table of routes: who must be asking, method, path, handler, and what the route is to its reader.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;

use http::{HeaderValue, Method, StatusCode, header};
use lanterne_core::accounts::access::Caller;
use lanterne_core::audit::Action;
use lanterne_core::error::Error;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::call::Call;
use crate::handlers::{admin, auth, docs, health, me};
use crate::openapi::{self, Operation};
use crate::reply::{Reply, empty};

/// The path that answers even when nothing is configured.
pub(crate) const HEALTH: &str = "/healthz";
/// The interactive page.
pub(crate) const DOCS: &str = "/docs";
/// The reference to read.
pub(crate) const REDOC: &str = "/redoc";
/// The document that both are made from.
pub(crate) const OPENAPI: &str = "/openapi.json";

/// One line of the table.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    handler: Handler,
    reader: Reader,
}

/// What a route is to somebody who reads about the API.
enum Reader {
    /// A part of the API, described by this function.
    Api(Describe),
    /// Reading matter itself: not in the document, gone with `docs=off`, and the only kind that answers `HEAD`.
    Page,
}

/// What answers a route, and who must be asking: a handler that is given a caller cannot be reached without one.
#[derive(Clone, Copy)]
enum Handler {
    /// Anybody.
    Public(for<'a> fn(&'a Call<'a>) -> Answer<'a>),
    /// Somebody with an access token.
    Account(ForCaller),
    /// Such a one who is an administrator. If it changes anything, this is what a refused attempt is called in the audit
    /// log.
    Admin(ForCaller, Option<Action>),
}

type ForCaller = for<'a> fn(&'a Call<'a>, &'a Caller) -> Answer<'a>;
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + 'a>>;
type Describe = fn() -> Operation;
/// The pieces of a path that stand for the names in braces.
pub(crate) type Params<'a> = matchit::Params<'static, 'a>;

/// A line of the API: who reaches its handler (and what it does, where others are not even to try), method, path, and
/// the name of handler and description.
macro_rules! api {
    (Public $method:ident $path:expr, $group:ident::$name:ident) => {
        api!(@ $method $path, Handler::Public(|call| Box::pin($group::$name(call))), openapi::$group::$name)
    };
    (Account $method:ident $path:expr, $group:ident::$name:ident) => {
        api!(@ $method $path, Handler::Account(|call, caller| Box::pin($group::$name(call, caller))), openapi::$group::$name)
    };
    (Admin $(($action:ident))? $method:ident $path:expr, $group:ident::$name:ident) => {
        api!(
            @ $method $path,
            Handler::Admin(|call, caller| Box::pin($group::$name(call, caller)), api!(@action $($action)?)),
            openapi::$group::$name
        )
    };
    (@action) => {
        None
    };
    (@action $action:ident) => {
        Some(Action::$action)
    };
    (@ $method:ident $path:expr, $handler:expr, $describe:expr) => {
        Route { method: Method::$method, path: $path, handler: $handler, reader: Reader::Api($describe) }
    };
}

/// A page.
macro_rules! page {
    ($path:expr, $name:ident) => {
        Route {
            method: Method::GET,
            path: $path,
            handler: Handler::Public(|call| Box::pin(docs::$name(call))),
            reader: Reader::Page,
        }
    };
}

static ROUTES: [Route; 24] = [
    api!(Public GET "/", health::root),
    api!(Public GET HEALTH, health::health),
    api!(Public POST "/auth/register", auth::register),
    api!(Public POST "/auth/login", auth::login),
    api!(Public POST "/auth/refresh", auth::refresh),
    api!(Account POST "/auth/logout", auth::logout),
    api!(Account POST "/auth/logout-all", auth::logout_all),
    api!(Account GET "/users/me", me::show),
    api!(Account PATCH "/users/me", me::change_email),
    api!(Account DELETE "/users/me", me::delete),
    api!(Account POST "/users/me/password", me::change_password),
    api!(Account GET "/users/me/sessions", me::list_sessions),
    api!(Account DELETE "/users/me/sessions/{id}", me::end_session),
    api!(Admin GET "/admin/users", admin::list_users),
    api!(Admin(UserCreate) POST "/admin/users", admin::create_user),
    api!(Admin GET "/admin/users/{id}", admin::show_user),
    api!(Admin(UserUpdate) PATCH "/admin/users/{id}", admin::update_user),
    api!(Admin(UserDelete) DELETE "/admin/users/{id}", admin::delete_user),
    api!(Admin(SessionsRevoke) DELETE "/admin/users/{id}/sessions", admin::end_sessions),
    api!(Admin GET "/admin/audit-logs", admin::list_audit_logs),
    page!(OPENAPI, openapi),
    page!(DOCS, swagger_ui),
    page!(REDOC, reference),
    page!("/docs/assets/{version}/{name}", asset),
];

impl Route {
    /// The handler's reply, to whom may have one: who is asking comes before what for.
    pub(crate) async fn answer(&self, call: &Call<'_>) -> Result<Reply, Error> {
        match self.handler {
            Handler::Public(handler) => handler(call).await,
            Handler::Account(handler) => handler(call, &call.caller().await?).await,
            Handler::Admin(handler, action) => handler(call, &call.administrator(action).await?).await,
        }
    }

    fn is_page(&self) -> bool {
        matches!(self.reader, Reader::Page)
    }

    /// The host leaves the body out of what answers `HEAD`.
    fn answers(&self, method: &Method) -> bool {
        self.method == *method || (self.is_page() && *method == Method::HEAD)
    }

    fn methods(&self) -> &str {
        if self.is_page() { "GET, HEAD" } else { self.method.as_str() }
    }
}

/// The routes of the API for those who read about it: method, path and description.
pub(crate) fn documented() -> impl Iterator<Item = (&'static Method, &'static str, Operation)> {
    ROUTES.iter().filter_map(|route| match route.reader {
        Reader::Api(describe) => {
            let operation = match route.handler {
                Handler::Public(_) => describe(),
                Handler::Account(_) => describe().needs_login(),
                Handler::Admin(..) => describe().needs_admin(),
            };
            Some((&route.method, route.path, operation))
        }
        Reader::Page => None,
    })
}

/// What the table says of a request.
pub(crate) enum Match<'a> {
    /// This line is for it, with these pieces of its path.
    Route(&'static Route, Params<'a>),
    /// The path is there, with these methods only.
    OtherMethods(String),
    /// The path is there with a slash more or less at its end.
    OtherSlash(String),
    /// No such path.
    Nothing,
}

/// Looks a request up; `path` is decoded, and `pages` says whether there are any.
pub(crate) fn find<'a>(method: &Method, path: &'a str, pages: bool) -> Match<'a> {
    if let Some((lines, params)) = lines(path, pages) {
        return match lines.iter().find(|route| route.answers(method)) {
            Some(route) => Match::Route(route, params),
            None => Match::OtherMethods(lines.iter().map(|route| route.methods()).collect::<Vec<_>>().join(", ")),
        };
    }
    let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
    if lines(&other, pages).is_some() { Match::OtherSlash(other) } else { Match::Nothing }
}

/// The lines of one path, for every method that it has.
fn lines(path: &str, pages: bool) -> Option<(&'static [&'static Route], Params<'_>)> {
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
    let found = router.at(path).ok()?;
    let there = pages || found.value.iter().any(|route| !route.is_page());
    there.then_some((found.value.as_slice(), found.params))
}

/// A path as the table has it. Servers in Python route on the decoded path, and so must we.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// What a decoded path has that stands in a URL for something else, or not at all (RFC 3986, section 3.3).
const NOT_IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?');

/// 307 to the same path with the slash as the table has it, query kept. Relative, since an absolute one would repeat
/// whatever the client wrote into `Host` (RFC 9110, section 10.2.2, allows both).
pub(crate) fn redirect(path: &str, query: Option<&str>) -> Reply {
    let path = utf8_percent_encode(path, NOT_IN_PATH);
    let location = query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"));
    let mut reply = empty(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&location) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}
