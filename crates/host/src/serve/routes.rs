//! Matches paths with the routes of the manifest.

use std::cmp::Reverse;

/// A route of the manifest, and its target.
pub(crate) struct Route<T> {
    /// As written in the manifest: `/...` at the end is a wildcard for everything below.
    pub(crate) raw: String,
    pub(crate) target: T,
}

impl<T> Route<T> {
    /// Returns the route without its wildcard.
    pub(crate) fn prefix(&self) -> &str {
        self.raw.strip_suffix("/...").unwrap_or(&self.raw)
    }

    fn is_wildcard(&self) -> bool {
        self.raw.ends_with("/...")
    }

    /// Returns the part of `path` that the wildcard matches; `None` if the route does not match.
    fn tail<'p>(&self, path: &'p str) -> Option<&'p str> {
        if !self.is_wildcard() {
            return (path.trim_end_matches('/') == self.raw.trim_end_matches('/')).then_some("");
        }
        let tail = path.strip_prefix(self.prefix())?;
        (tail.is_empty() || tail.starts_with('/')).then_some(tail)
    }
}

/// The routes of an app.
pub(crate) struct Routes<T>(Vec<Route<T>>);

impl<T> Routes<T> {
    /// Sorts the routes by precedence: exact ones before wildcards, longer ones before shorter ones.
    pub(crate) fn new(mut routes: Vec<Route<T>>) -> Self {
        routes.sort_by_key(|route| (route.is_wildcard(), Reverse(route.raw.len())));
        Self(routes)
    }

    /// Returns the route for `path`, and the part that its wildcard matches.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<(&Route<T>, &'p str)> {
        self.0.iter().find_map(|route| Some((route, route.tail(path)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(&'static str, String)> {
        let route = |raw: &str, target| Route { raw: raw.into(), target };
        let routes = Routes::new(vec![
            route("/api/...", "api"),
            route("/api/v2/...", "v2"),
            route("/api/v2", "exact"),
            route("/", "root"),
        ]);
        routes.find(path).map(|(route, tail)| (route.target, tail.to_owned()))
    }

    #[test]
    fn exact_routes_come_first_then_longer_wildcards() {
        assert_eq!(found("/api"), Some(("api", "".into())));
        assert_eq!(found("/api/"), Some(("api", "/".into())));
        assert_eq!(found("/api/a/b"), Some(("api", "/a/b".into())));
        assert_eq!(found("/api/v2"), Some(("exact", "".into())));
        assert_eq!(found("/api/v2/x"), Some(("v2", "/x".into())));
        assert_eq!(found("/"), Some(("root", "".into())));
    }

    #[test]
    fn wildcards_match_whole_segments() {
        assert_eq!(found("/apiary"), None);
        assert_eq!(found("/other"), None);
    }
}
