//! The address of a client behind a trusted proxy, from a header such as `X-Forwarded-For` or `Forwarded` (RFC 7239).
//!
//! The component and its host both need it: one implementation, so that the log and the throttle agree.

mod node;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{HeaderName, InvalidHeaderName};
use http::{HeaderMap, HeaderValue};

/// The header in which a trusted proxy names the client.
#[derive(Debug)]
pub struct ClientHeader {
    name: HeaderName,
    is_missing_reported: AtomicBool,
    is_unreadable_reported: AtomicBool,
}

impl ClientHeader {
    /// The header `name`.
    ///
    /// # Errors
    /// It is not the name of a header.
    pub fn new(name: &str) -> Result<Self, InvalidHeaderName> {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        Ok(Self { name, is_missing_reported: AtomicBool::new(false), is_unreadable_reported: AtomicBool::new(false) })
    }

    /// Returns the header's name.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Returns the address in the last element of the header's last line: only that is the trusted proxy's, and what
    /// stands before it may come from the client. `None` if the header is missing, or its last element holds no address.
    /// Passes the first occurrence of each of these faults to `report`, as a line for the log.
    pub fn read(&self, headers: &HeaderMap, report: impl FnOnce(&str)) -> Option<IpAddr> {
        let line = headers.get_all(&self.name).iter().next_back();
        let address = line.and_then(|line| node::address(&last_element(line.as_bytes())));
        if address.is_none() {
            self.report(line.is_none(), report);
        }
        address
    }

    /// Replaces the header by `client`, so that a later reader finds the same address.
    pub fn write(&self, headers: &mut HeaderMap, client: IpAddr) {
        if let Ok(value) = HeaderValue::try_from(client.to_string()) {
            headers.insert(&self.name, value);
        }
    }

    fn report(&self, is_missing: bool, report: impl FnOnce(&str)) {
        let (is_reported, fault) = match is_missing {
            true => (&self.is_missing_reported, "has no such header"),
            false => (&self.is_unreadable_reported, "has no IP address in the last element of that header"),
        };
        if !is_reported.swap(true, Ordering::Relaxed) {
            report(&format!(
                "client_ip_header is {}, but a request {fault}: such requests are attributed to the address of the \
                 connection, which all clients of a proxy share (reported once)",
                self.name
            ));
        }
    }
}

/// Returns the last element of a list (RFC 9110, section 5.6.1), which may hold quoted strings. Reads from the end: a quote
/// that a client leaves open in its own element must not hide the last one.
fn last_element(list: &[u8]) -> Cow<'_, str> {
    let mut is_quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        match byte {
            b'"' if !is_escaped(&list[..at]) => is_quoted = !is_quoted,
            b',' if !is_quoted => return String::from_utf8_lossy(&list[at + 1..]),
            _ => {}
        }
    }
    String::from_utf8_lossy(list)
}

/// Whether the byte after `before` is escaped by a backslash that is not escaped itself.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests;
