//! The address of the server as the client knows it, for examples.

use http::header::HOST;
use http::uri::Authority;

use crate::call::Call;

/// The address in a page that does not know its server: the default of `lanterne up`.
pub(super) const PLACEHOLDER: &str = "http://127.0.0.1:8000";

/// The header in which a proxy names the scheme of the original request.
const FORWARDED_SCHEME: &str = "x-forwarded-proto";

/// Returns the address that was requested, such as `https://api.example.org`, or [`PLACEHOLDER`] if it is unusual: examples
/// are copied to a shell. A proxy is trusted if the configuration names one.
pub(super) fn requested(call: &Call<'_>) -> String {
    let from_host = || Authority::try_from(call.headers.get(HOST)?.as_bytes()).ok();
    let authority = call.uri.authority().cloned().or_else(from_host);
    let is_plain = |authority: &Authority| {
        authority.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    };
    let proxied = || {
        call.app.config.client_ip_header.as_ref()?;
        call.headers.get_all(FORWARDED_SCHEME).iter().next_back()?.to_str().ok()?.rsplit(',').next()
    };
    let scheme = proxied().or(call.uri.scheme_str()).unwrap_or_default().trim();
    let scheme = if scheme.eq_ignore_ascii_case("https") { "https" } else { "http" };
    authority.filter(is_plain).map_or_else(|| PLACEHOLDER.to_owned(), |authority| format!("{scheme}://{authority}"))
}
