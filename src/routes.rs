//! The table of routes: who may call, method, path, handler and description.

use std::borrow::Cow;
use std::sync::OnceLock;

use http::{HeaderValue, Method, StatusCode, header};
use lanterne_core::accounts::access::Caller;
use lanterne_core::audit::Action;
use lanterne_core::config::Config;
use lanterne_database::BoxFuture;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::api::{admin, auth, health, keys, me, recovery};
use crate::call::Call;
use crate::docs::{self, Operation};
use crate::error::Error;
use crate::reply::{Reply, empty};

/// The health check, which answers even without a valid configuration.
pub(crate) const HEALTH: &str = "/healthz";
/// Tells whether requests can be served.
pub(crate) const READY: &str = "/readyz";
/// Swagger UI.
pub(crate) const DOCS: &str = "/docs";
/// The reference page.
pub(crate) const REDOC: &str = "/redoc";
/// The OpenAPI document.
pub(crate) const OPENAPI: &str = "/openapi.json";

/// A row of the table.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    handler: Handler,
    /// Describes a route of the API. A page (`None`) is not described, disappears with `docs=off`, and answers `HEAD`.
    describe: Option<fn(&Config) -> Operation>,
    /// Whether the route needs mail, and disappears with `mail=off`.
    sends_mail: bool,
}

/// A handler and who may call it: one that takes a [`Caller`] cannot be reached without authentication.
enum Handler {
    /// Anyone.
    Public(for<'a> fn(&'a Call<'a>) -> Answer<'a>),
    /// Bearers of an access token.
    Account(AccountHandler),
    /// Administrators. If there is an action, its refusal is audited.
    Admin(AccountHandler, Option<Action>),
}

type AccountHandler = for<'a> fn(&'a Call<'a>, &'a Caller) -> Answer<'a>;
type Answer<'a> = BoxFuture<'a, Result<Reply, Error>>;
/// The parameters of a path.
pub(crate) type Params<'a> = matchit::Params<'static, 'a>;

/// Builds a row of the table: `route!(Access METHOD path, handler, describe)`, with `Mail` in front for a route that needs
/// mail.
macro_rules! route {
    (Mail $($row:tt)*) => {
        Route { sends_mail: true, ..route!($($row)*) }
    };
    (Public $method:ident $path:expr, $handler:path, $describe:path) => {
        route!(@ $method $path, Handler::Public(|call| Box::pin($handler(call))), Some($describe))
    };
    (Page $path:expr, $handler:path) => {
        route!(@ GET $path, Handler::Public(|call| Box::pin($handler(call))), None)
    };
    (Account $method:ident $path:expr, $handler:path, $describe:path) => {
        route!(@ $method $path, Handler::Account(|call, caller| Box::pin($handler(call, caller))), Some($describe))
    };
    (Admin $method:ident $path:expr, $handler:path, $describe:path) => {
        route!(@ $method $path, Handler::Admin(|call, caller| Box::pin($handler(call, caller)), None), Some($describe))
    };
    (Admin($action:ident) $method:ident $path:expr, $handler:path, $describe:path) => {
        route!(
            @ $method $path,
            Handler::Admin(|call, caller| Box::pin($handler(call, caller)), Some(Action::$action)),
            Some($describe)
        )
    };
    (@ $method:ident $path:expr, $handler:expr, $describe:expr) => {
        Route { method: Method::$method, path: $path, handler: $handler, describe: $describe, sends_mail: false }
    };
}

static ROUTES: &[Route] = &[
    route!(Public GET "/", health::root, health::describe_root),
    route!(Public GET HEALTH, health::health, health::describe_health),
    route!(Public GET READY, health::ready, health::describe_ready),
    route!(Public GET "/.well-known/jwks.json", keys::show, keys::describe_show),
    route!(Public POST "/auth/register", auth::register, auth::describe_register),
    route!(Public POST "/auth/login", auth::login, auth::describe_login),
    route!(Public POST "/auth/refresh", auth::refresh, auth::describe_refresh),
    route!(
        Mail Public POST "/auth/password/forgot", recovery::forgot_password, recovery::describe_forgot_password
    ),
    route!(Public POST "/auth/password/reset", recovery::reset_password, recovery::describe_reset_password),
    route!(
        Mail Public POST "/auth/email/verification",
        recovery::request_verification, recovery::describe_request_verification
    ),
    route!(Public POST "/auth/email/verify", recovery::verify_email, recovery::describe_verify_email),
    route!(Account POST "/auth/logout", auth::logout, auth::describe_logout),
    route!(Account POST "/auth/logout-all", auth::logout_all, auth::describe_logout_all),
    route!(Account GET "/users/me", me::show, me::describe_show),
    route!(Account PATCH "/users/me", me::change_email, me::describe_change_email),
    route!(Account DELETE "/users/me", me::delete, me::describe_delete),
    route!(Account POST "/users/me/password", me::change_password, me::describe_change_password),
    route!(
        Mail Account POST "/users/me/email/verification",
        recovery::resend_verification, recovery::describe_resend_verification
    ),
    route!(Account GET "/users/me/sessions", me::list_sessions, me::describe_list_sessions),
    route!(Account DELETE "/users/me/sessions/{id}", me::end_session, me::describe_end_session),
    route!(Admin GET "/admin/users", admin::list_users, admin::describe_list_users),
    route!(Admin(UserCreate) POST "/admin/users", admin::create_user, admin::describe_create_user),
    route!(Admin GET "/admin/users/{id}", admin::show_user, admin::describe_show_user),
    route!(Admin(UserUpdate) PATCH "/admin/users/{id}", admin::update_user, admin::describe_update_user),
    route!(Admin(UserDelete) DELETE "/admin/users/{id}", admin::delete_user, admin::describe_delete_user),
    route!(
        Admin(UserSessionsRevoke) DELETE "/admin/users/{id}/sessions", admin::end_sessions, admin::describe_end_sessions
    ),
    route!(
        Admin(UserPasswordReset) POST "/admin/users/{id}/password-reset",
        recovery::issue_password_reset, recovery::describe_issue_password_reset
    ),
    route!(Admin GET "/admin/audit-logs", admin::list_audit_logs, admin::describe_list_audit_logs),
    route!(Page OPENAPI, docs::openapi),
    route!(Page DOCS, docs::swagger_ui),
    route!(Page REDOC, docs::reference),
    route!(Page "/docs/assets/{version}/{name}", docs::asset),
];

impl Route {
    /// Authenticates and authorizes the caller, then calls the handler.
    pub(crate) async fn answer(&self, call: &Call<'_>) -> Result<Reply, Error> {
        match self.handler {
            Handler::Public(handler) => handler(call).await,
            Handler::Account(handler) => handler(call, &call.caller().await?).await,
            Handler::Admin(handler, action) => handler(call, &call.administrator(action).await?).await,
        }
    }

    /// Returns whether the route exists in this configuration.
    fn exists(&self, config: &Config) -> bool {
        (config.docs || !self.is_page()) && (config.mail.is_on() || !self.sends_mail)
    }

    fn is_page(&self) -> bool {
        self.describe.is_none()
    }

    /// Returns whether the route has this method. The host drops the body of a reply to `HEAD`.
    fn accepts(&self, method: &Method) -> bool {
        self.method == *method || (self.is_page() && *method == Method::HEAD)
    }

    fn methods(&self) -> &str {
        if self.is_page() { "GET, HEAD" } else { self.method.as_str() }
    }
}

/// Returns method, path and description of the routes of the API.
pub(crate) fn described(config: &Config) -> impl Iterator<Item = (&'static Method, &'static str, Operation)> {
    ROUTES.iter().filter(|route| route.exists(config)).filter_map(|route| {
        let operation = (route.describe?)(config);
        let operation = match route.handler {
            Handler::Public(_) => operation,
            Handler::Account(_) => operation.requires_token(),
            Handler::Admin(..) => operation.requires_admin(),
        };
        Some((&route.method, route.path, operation))
    })
}

/// The result of a look-up.
pub(crate) enum Match<'a> {
    /// This route, with the parameters of its path.
    Route(&'static Route, Params<'a>),
    /// A route exists for this path, which differs in its trailing slashes.
    OtherSlashes(String),
}

/// Looks up a decoded path among the routes that exist in this configuration.
///
/// # Errors
/// [`Error::NotFound`], [`Error::MethodNotAllowed`].
pub(crate) fn find<'a>(method: &Method, path: &'a str, config: &Config) -> Result<Match<'a>, Error> {
    if let Some((routes, params)) = routes_at(path, config) {
        return match routes.iter().find(|route| route.accepts(method)) {
            Some(route) => Ok(Match::Route(route, params)),
            None => {
                let methods: Vec<_> = routes.iter().map(|route| route.methods()).collect();
                Err(Error::MethodNotAllowed(methods.join(", ")))
            }
        };
    }
    // Redirect as Starlette does.
    let other = if path.ends_with('/') { path.trim_end_matches('/').to_owned() } else { format!("{path}/") };
    if routes_at(&other, config).is_some() { Ok(Match::OtherSlashes(other)) } else { Err(Error::NotFound) }
}

/// Returns the routes of a path, one per method: all of them exist, or none.
fn routes_at<'a>(path: &'a str, config: &Config) -> Option<(&'static [&'static Route], Params<'a>)> {
    static ROUTER: OnceLock<matchit::Router<Vec<&'static Route>>> = OnceLock::new();
    let router = ROUTER.get_or_init(|| {
        let mut router = matchit::Router::new();
        for route in ROUTES {
            let routes = ROUTES.iter().filter(|other| other.path == route.path).collect();
            // Fails for the second method of a path, which was inserted with the first.
            let _ = router.insert(route.path, routes);
        }
        router
    });
    let found = router.at(path).ok()?;
    let exists = found.value.iter().any(|route| route.exists(config));
    exists.then_some((found.value.as_slice(), found.params))
}

/// Decodes a path. Like the Python server, the table matches decoded paths.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// The characters of a decoded path that are encoded in a URL (RFC 3986, section 3.3).
const ENCODED_IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?');

/// Redirects with 307 to a decoded path and the same query. The location is relative (RFC 9110, section 10.2.2): an
/// absolute one would repeat the client's `Host`.
pub(crate) fn redirect(path: &str, query: Option<&str>) -> Reply {
    let path = utf8_percent_encode(path, ENCODED_IN_PATH);
    let location = query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"));
    let mut reply = empty(StatusCode::TEMPORARY_REDIRECT);
    reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    if let Ok(location) = HeaderValue::from_str(&location) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Handler, ROUTES};

    #[test]
    fn the_manifest_lists_the_paths_for_metrics() {
        let manifest = include_str!("../spin.toml");
        let listed = manifest.split_once("\nroutes = [\n").and_then(|(_, rest)| rest.split_once("\n]"));
        let listed = listed.expect("a list").0.lines().map(|line| line.trim().trim_matches([',', '"']));
        let paths: BTreeSet<_> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(listed.collect::<BTreeSet<_>>(), paths, "routes in spin.toml");
    }

    #[test]
    fn no_handler_under_users_and_admin_is_reached_without_a_caller() {
        for route in ROUTES {
            let is_allowed = match route.handler {
                Handler::Admin(..) => true,
                Handler::Account(_) => !route.path.starts_with("/admin"),
                Handler::Public(_) => !route.path.starts_with("/users") && !route.path.starts_with("/admin"),
            };
            assert!(is_allowed, "{}", route.path);
        }
    }
}
