//! One element of a list: an address, perhaps with a port, or the parameters of `Forwarded`.

use std::net::IpAddr;

/// Returns the address in an element; `None` if there is none, or more than one. An IPv4-mapped IPv6 address (RFC 4291,
/// section 2.5.5.2) is returned as the IPv4 address.
pub(super) fn address(element: &str) -> Option<IpAddr> {
    let element = element.trim();
    let node = if element.contains('=') { forwarded_for(element)? } else { element };
    let node = match node.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.trim(),
        None => node,
    };
    let host = without_port(node)?;
    // A zone (RFC 4007, section 11) names an interface of the proxy.
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Returns the value of the parameter `for` (RFC 7239, section 4), which occurs once.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let pairs = element.split(|c| {
        let is_separator = c == ';' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_separator
    });
    let mut nodes = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    });
    let node = nodes.next()?;
    nodes.next().is_none().then_some(node)
}

/// Returns the host of `1.2.3.4:80`, `[2001:db8::1]:80` and of both without port. An IPv6 address without brackets has no
/// port.
fn without_port(node: &str) -> Option<&str> {
    if let Some(rest) = node.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(host);
    }
    match node.split_once(':') {
        Some((host, port)) if !port.contains(':') => is_port(port).then_some(host),
        _ => Some(node),
    }
}

/// Whether this is a port, or a text that stands for one (RFC 7239, section 6.2).
fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
