//! Origins as browsers send them (RFC 6454, section 6.2).

use url::Url;

/// Schemes whose pages have the origin `null`, or that load no pages.
const SCHEMES_WITHOUT_ORIGIN: [&str; 8] = ["about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"];

/// Returns the origin that a browser sends for pages at `text`: without default port, in lower case, with an
/// internationalized host in Punycode. `None` if `text` is more than an origin and a slash, or no page can have it.
///
/// Apps have schemes of their own, such as `capacitor://localhost`. Refuses `*`, which browsers do not accept from an API
/// that allows credentials.
pub(super) fn normalize(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    // The parser of URLs would drop some of these, and read others as the end of the host.
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"/\\?#@%*,\"'<>".contains(c);
    if authority.is_empty() || !authority.chars().all(is_plain) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{authority}")).ok()?;
    // Of an app's own scheme, characters beyond ASCII become `%`; of others, a full-width `*` becomes a plain one.
    let host = url.host_str().filter(|host| !host.is_empty() && host.chars().all(is_plain))?.to_ascii_lowercase();
    if SCHEMES_WITHOUT_ORIGIN.contains(&url.scheme()) {
        return None;
    }
    let origin = url.origin();
    if origin.is_tuple() {
        return Some(origin.ascii_serialization());
    }
    // WHATWG leaves the origin of other schemes open; the browsers in apps send scheme, host and port.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", url.scheme()))
}
