//! `allowed_outbound_hosts`: where a component may send requests, in Spin's grammar.
//!
//! An entry is `scheme://host`, `scheme://host:port` or either with a slash at the end. The scheme is a word or `*`. The host
//! is a name, `*.` and a name for its subdomains, an address, a network such as `10.0.0.0/8`, or `*`. The port is a number,
//! a range `8000..9000` that excludes its end, or `*`; without a port it is the default of the scheme.

use std::fmt;
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use http::Uri;
use http::uri::Scheme;
use ipnet::IpNet;
use url::Host;

use crate::manifest::Component;
use crate::variables::Variables;

/// The domain below which Spin finds the components of the same app.
const COMPONENTS_DOMAIN: &str = ".spin.internal";

/// The destinations that a component may send requests to.
#[derive(Default)]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, PartialEq)]
struct AllowedHost {
    /// `None` is any.
    scheme: Option<String>,
    host: HostPattern,
    /// `None` is any.
    ports: Option<Range<u32>>,
}

#[derive(Debug, PartialEq)]
enum HostPattern {
    Any,
    Exactly(Host),
    /// The suffix, with its dot.
    Subdomains(String),
    Network(IpNet),
}

/// The destination of a request.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) is_https: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl AllowedHosts {
    /// Resolves the list of `component`. A template whose variables are empty allows nothing, and a path in the value of a
    /// template is ignored, which Spin refuses: such a value is the URL of a request.
    ///
    /// # Errors
    /// A variable has no value, or an entry is invalid. The error has the entry as it is in the manifest, since values may
    /// be secret.
    pub(crate) fn of(component: &Component, variables: &Variables<'_>) -> Result<Self> {
        let mut allowed = Vec::new();
        for entry in &component.allowed_outbound_hosts {
            let filled = variables.fill(entry)?;
            let is_template = entry.contains("{{");
            if is_template && matches!(filled.as_str(), "" | "http://" | "https://") {
                continue;
            }
            let parsed = AllowedHost::parse(&filled);
            let parsed = if is_template { parsed.or_else(|_| AllowedHost::parse(origin(&filled))) } else { parsed };
            allowed.push(parsed.with_context(|| {
                let values = if is_template { " with the values of its variables" } else { "" };
                let file = variables.manifest.path.display();
                format!("{file}: allowed_outbound_hosts has the entry {entry:?}, which is not valid{values}")
            })?);
        }
        Ok(Self(allowed))
    }

    pub(super) fn allow(&self, destination: &Destination) -> bool {
        self.0.iter().any(|allowed| allowed.allows(destination))
    }

    /// Returns whether any request with TLS is allowed.
    pub(crate) fn allow_https(&self) -> bool {
        self.0.iter().any(|allowed| allowed.scheme.as_ref().is_none_or(|scheme| scheme == "https"))
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self> {
        let Some((scheme, rest)) = entry.trim().split_once("://") else {
            bail!("it has no scheme: expected https://HOST, http://HOST:PORT or *://*:*");
        };
        let (host, port) = match rest.rsplit_once(':') {
            // The colon of an IPv6 address.
            Some(_) if HostPattern::parse(rest).is_ok() => (rest, ""),
            Some((host, port)) => (host, port.strip_suffix('/').unwrap_or(port)),
            None => (rest, ""),
        };
        let ports = parse_ports(port, scheme)?;
        let scheme = match scheme {
            "*" => None,
            _ if scheme.is_empty() || !scheme.chars().all(char::is_alphabetic) => {
                bail!("the scheme is not a word or *")
            }
            _ => Some(scheme.to_owned()),
        };
        Ok(Self { scheme, host: HostPattern::parse(host)?, ports })
    }

    fn allows(&self, Destination { is_https, host, port }: &Destination) -> bool {
        let scheme = if *is_https { "https" } else { "http" };
        self.scheme.as_ref().is_none_or(|allowed| allowed == scheme)
            && self.host.allows(host)
            && self.ports.as_ref().is_none_or(|ports| ports.contains(&u32::from(*port)))
    }
}

impl HostPattern {
    fn parse(host: &str) -> Result<Self> {
        let host = host.trim();
        if let Ok(network) = host.parse() {
            return Ok(Self::Network(network));
        }
        let host = host.strip_suffix('/').unwrap_or(host);
        match host {
            "*" => return Ok(Self::Any),
            _ if host.starts_with('{') => bail!("lists in braces are not supported"),
            "self" | "self.alt" => bail!("this host sends no requests to its own app by the name `self`"),
            _ if host.contains('/') => bail!("it has a path"),
            _ => {}
        }
        let (domain, is_suffix) = host.strip_prefix("*.").map_or((host, false), |domain| (domain, true));
        if domain.contains('*') {
            bail!("in a host, * stands alone or for the subdomains of a name, as in *.example.com");
        }
        let host = Host::parse(domain).context("the host is not a name or an address")?;
        match host {
            Host::Domain(name) if format!(".{name}").ends_with(COMPONENTS_DOMAIN) => {
                bail!("this host sends no requests to other components of its app")
            }
            Host::Domain(name) if is_suffix => Ok(Self::Subdomains(format!(".{name}"))),
            _ if is_suffix => bail!("an address has no subdomains"),
            host => Ok(Self::Exactly(host)),
        }
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Exactly(allowed), _) => allowed == host,
            (Self::Subdomains(suffix), Host::Domain(name)) => name.ends_with(suffix),
            (Self::Network(network), Host::Ipv4(address)) => network.contains(&std::net::IpAddr::from(*address)),
            (Self::Network(network), Host::Ipv6(address)) => network.contains(&std::net::IpAddr::from(*address)),
            (Self::Subdomains(_), _) | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

/// Returns what precedes path and query in a URL.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |index| index + "://".len());
    url[start..].find(['/', '?']).map_or(url, |length| &url[..start + length])
}

fn parse_ports(port: &str, scheme: &str) -> Result<Option<Range<u32>>> {
    let number = |text: &str| text.parse::<u16>().map(u32::from).context("the port is not a number up to 65535");
    Ok(match (port, port.split_once("..")) {
        ("", _) => {
            let port = default_port(scheme).context("it needs a port, since its scheme has no default one")?;
            Some(port..port + 1)
        }
        ("*", _) => None,
        (_, Some((start, end))) => Some(number(start)?..number(end)?),
        (_, None) => {
            let port = number(port)?;
            Some(port..port + 1)
        }
    })
}

/// Returns the default port of a scheme. Entries of schemes other than HTTP are valid, and allow nothing here.
fn default_port(scheme: &str) -> Option<u32> {
    Some(match scheme {
        "http" => 80,
        "https" => 443,
        "postgres" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "mqtt" => 1883,
        _ => return None,
    })
}

impl Destination {
    /// Returns the destination of a request to `uri`, or `None` if it has no valid authority or a user name, which RFC 9110
    /// (section 4.2.4) deprecates.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?;
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        // The rest is not trusted to `Authority::port`, which ignores an invalid port.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" | ":" => {
                if is_https {
                    443
                } else {
                    80
                }
            }
            rest => rest.strip_prefix(':')?.parse().ok()?,
        };
        Some(Self { is_https, host: Host::parse(authority.host()).ok()?, port })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.is_https { "https" } else { "http" }, self.host, self.port)
    }
}

#[cfg(test)]
mod tests;
