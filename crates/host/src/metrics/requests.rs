//! The durations of requests by method, route and status.

use std::array;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, anyhow};
use http::Method;
use percent_encoding::percent_decode_str;

use crate::metrics::exposition::{Exposition, Kind, labels};
use crate::metrics::histogram::{Histogram, REQUEST_BOUNDS};

const NAME: &str = "lanterne_http_request_duration_seconds";
const HELP: &str = "HTTP requests by method, route of the manifest and status, and the time from the head of the request to \
                    the head of the response. Status 499: the client left before.";

/// The methods with a label of their own. Clients can send any other.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// The label value of everything else, so that clients cannot create label values.
const OTHER: &str = "other";
/// The statuses with a label of their own.
const STATUS_MIN: u16 = 100;
const STATUS_COUNT: usize = 500;

/// A counter of the outcomes of one route, derived from the statuses of its responses.
pub struct Outcomes {
    /// The name of the counter.
    pub name: &'static str,
    /// Its description.
    pub help: &'static str,
    /// The method of the requests.
    pub method: &'static str,
    /// Their route, as in the manifest.
    pub route: &'static str,
    /// All outcomes.
    pub all: &'static [&'static str],
    /// Returns the outcome that a status stands for.
    pub of: fn(u16) -> &'static str,
}

/// The durations of requests.
pub(crate) struct Requests {
    paths: matchit::Router<usize>,
    /// Those of the manifest, and the one of all other paths.
    routes: Vec<Route>,
}

/// The index of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteIndex(usize);

struct Route {
    path: String,
    /// By method, and those of all other methods. Allocated at the first request, as histograms are: most combinations
    /// never occur.
    methods: [OnceLock<Statuses>; METHODS.len() + 1],
}

/// By status, and those of all other statuses.
type Statuses = Box<[OnceLock<Histogram>]>;

impl Requests {
    /// Tells requests apart by these paths, in which `{name}` stands for a segment.
    ///
    /// # Errors
    /// A path is malformed, or matches the same as another.
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a String>) -> Result<Self> {
        let mut router = matchit::Router::new();
        let mut routes = Vec::new();
        for path in paths {
            let inserted = router.insert(path, routes.len());
            inserted.map_err(|error| anyhow!("the path {path:?} in routes of the manifest: {error}"))?;
            routes.push(Route::new(path));
        }
        routes.push(Route::new(OTHER));
        Ok(Self { paths: router, routes })
    }

    /// Returns the route of a path. Matches decoded paths, because components may decode them.
    pub(crate) fn route(&self, path: &str) -> RouteIndex {
        let path = percent_decode_str(path).decode_utf8_lossy();
        RouteIndex(self.paths.at(&path).map_or(self.routes.len() - 1, |found| *found.value))
    }

    /// Adds a request.
    pub(crate) fn observe(&self, route: RouteIndex, method: &Method, status: u16, duration: Duration) {
        let method = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let status = usize::from(status).wrapping_sub(STATUS_MIN.into()).min(STATUS_COUNT);
        let statuses = self.routes[route.0].methods[method].get_or_init(|| {
            let statuses = (0..=STATUS_COUNT).map(|_| OnceLock::new());
            statuses.collect()
        });
        statuses[status].get_or_init(|| Histogram::new(REQUEST_BOUNDS)).observe(duration);
    }

    /// Writes the durations of all requests.
    pub(super) fn write(&self, text: &mut Exposition) {
        text.family(NAME, Kind::Histogram, HELP);
        for route in &self.routes {
            for (index, statuses) in route.methods.iter().enumerate() {
                let method = METHODS.get(index).map_or(OTHER, Method::as_str);
                for (status, histogram) in by_status(statuses) {
                    let status = status.map_or_else(|| OTHER.to_owned(), |status| status.to_string());
                    let labels = labels(&[("method", method), ("route", &route.path), ("status", &status)]);
                    histogram.write(text, NAME, &labels);
                }
            }
        }
    }

    /// Writes the counter of `outcomes`, unless the manifest has no such route.
    pub(super) fn write_outcomes(&self, text: &mut Exposition, outcomes: &Outcomes) {
        let Some(route) = self.routes.iter().find(|route| route.path == outcomes.route) else { return };
        let Some(method) = METHODS.iter().position(|known| known.as_str() == outcomes.method) else { return };
        text.family(outcomes.name, Kind::Counter, outcomes.help);
        for outcome in outcomes.all {
            let statuses = by_status(&route.methods[method]);
            let is_counted = |status: Option<u16>| (outcomes.of)(status.unwrap_or_default()) == *outcome;
            let counts = statuses.filter(|(status, _)| is_counted(*status)).map(|(_, histogram)| histogram.count());
            text.sample(outcomes.name, &labels(&[("outcome", outcome)]), counts.sum::<u64>());
        }
    }
}

impl Route {
    fn new(path: &str) -> Self {
        Self { path: path.to_owned(), methods: array::from_fn(|_| OnceLock::new()) }
    }
}

/// Iterates over the statuses that occurred; `None` stands for all that are not told apart.
fn by_status(statuses: &OnceLock<Statuses>) -> impl Iterator<Item = (Option<u16>, &Histogram)> {
    let statuses = statuses.get().into_iter().flatten();
    let codes = (STATUS_MIN..).take(STATUS_COUNT).map(Some).chain([None]);
    codes.zip(statuses).filter_map(|(status, histogram)| Some((status, histogram.get()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        let paths = ["/", "/login", "/users/me", "/users/{id}"].map(String::from);
        Requests::new(paths.iter()).unwrap()
    }

    fn written(requests: &Requests) -> String {
        let mut text = Exposition::default();
        requests.write(&mut text);
        text.into_text()
    }

    #[test]
    fn a_path_is_labelled_with_its_route() {
        let requests = requests();
        let route = |path: &str| requests.routes[requests.route(path).0].path.as_str();
        for (path, expected) in [
            ("/", "/"),
            ("/login", "/login"),
            ("/log%69n", "/login"),
            ("/users/me", "/users/me"),
            ("/users/7", "/users/{id}"),
            ("/users/a%2Fb", OTHER),
            ("/login/", OTHER),
            ("/users/", OTHER),
            ("*", OTHER),
            ("", OTHER),
            ("/%FF", OTHER),
            ("/users/{id}/x", OTHER),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }

    #[test]
    fn labels_are_bounded() {
        let requests = requests();
        let (route, unknown) = (requests.route("/login"), requests.route("/no-such-path"));
        let purge = Method::from_bytes(b"PURGE").unwrap();
        for (route, method, status) in [
            (route, &Method::POST, 200),
            (route, &Method::POST, 200),
            (route, &Method::POST, 599),
            (route, &Method::POST, 600),
            (route, &Method::POST, 999),
            (route, &Method::POST, 0),
            (unknown, &purge, 405),
            (unknown, &Method::TRACE, 405),
        ] {
            requests.observe(route, method, status, Duration::from_millis(3));
        }
        let text = written(&requests);
        let counts: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(NAME)?.strip_prefix("_count")).collect();
        assert_eq!(
            counts,
            [
                r#"{method="POST",route="/login",status="200"} 2"#,
                r#"{method="POST",route="/login",status="599"} 1"#,
                r#"{method="POST",route="/login",status="other"} 3"#,
                r#"{method="other",route="other",status="405"} 2"#,
            ]
        );
    }

    #[test]
    fn outcomes_are_sums_over_statuses() {
        let outcomes = Outcomes {
            name: "logins_total",
            help: "Help.",
            method: "POST",
            route: "/login",
            all: &["success", "failure"],
            of: |status| if status < 300 { "success" } else { "failure" },
        };
        let requests = requests();
        for (path, status) in [("/login", 200), ("/login", 401), ("/login", 503), ("/", 200)] {
            requests.observe(requests.route(path), &Method::POST, status, Duration::ZERO);
        }
        requests.observe(requests.route("/login"), &Method::OPTIONS, 200, Duration::ZERO);
        let mut text = Exposition::default();
        requests.write_outcomes(&mut text, &outcomes);
        requests.write_outcomes(&mut text, &Outcomes { route: "/elsewhere", ..outcomes });
        let expected = "# HELP logins_total Help.\n# TYPE logins_total counter\n\
                        logins_total{outcome=\"success\"} 1\nlogins_total{outcome=\"failure\"} 2\n";
        assert_eq!(text.into_text(), expected);
    }

    #[test]
    fn malformed_and_ambiguous_paths_are_refused() {
        for paths in [vec!["/{"], vec!["/a", "/a"], vec!["/{id}", "/{name}"]] {
            let paths: Vec<_> = paths.into_iter().map(String::from).collect();
            assert!(Requests::new(paths.iter()).is_err(), "{paths:?}");
        }
    }
}
