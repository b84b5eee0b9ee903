//! Requests that need much processor time.

use anyhow::{Context as _, Result};
use http::Method;
use percent_encoding::percent_decode_str;

/// The requests that the manifest lists as heavy.
#[derive(Default)]
pub(crate) struct HeavyRequests(Vec<(Method, String)>);

impl HeavyRequests {
    /// Parses lines of method and path: `POST /login`.
    ///
    /// # Errors
    /// A line is malformed.
    pub(crate) fn parse(lines: &[String]) -> Result<Self> {
        let parse = |line: &String| {
            let (method, path) = line.split_once(' ').filter(|(_, path)| path.starts_with('/'))?;
            Some((method.parse().ok()?, path.to_owned()))
        };
        let parsed = lines.iter().map(|line| {
            parse(line)
                .with_context(|| format!("{line:?} in heavy_requests is not a method and a path: \"POST /login\""))
        });
        Ok(Self(parsed.collect::<Result<_>>()?))
    }

    /// Returns whether a request is listed. Compares decoded paths, because components may decode them.
    pub(crate) fn contain(&self, method: &Method, path: &str) -> bool {
        let path = percent_decode_str(path).decode_utf8_lossy();
        self.0.iter().any(|(heavy_method, heavy_path)| heavy_method == method && *heavy_path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_compared_by_method_and_decoded_path() {
        let heavy = HeavyRequests::parse(&["POST /auth/login".into()]).unwrap();
        assert!(heavy.contain(&Method::POST, "/auth/login"));
        assert!(heavy.contain(&Method::POST, "/auth/log%69n"));
        assert!(!heavy.contain(&Method::GET, "/auth/login"));
        assert!(!heavy.contain(&Method::POST, "/auth/login/now"));
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in ["", "POST", "/auth/login", "POST auth/login", "P@ST /auth/login"] {
            assert!(HeavyRequests::parse(&[line.into()]).is_err(), "{line}");
        }
    }
}
