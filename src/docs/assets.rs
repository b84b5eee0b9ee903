//! The files of the pages, Swagger UI and our own, embedded by `build.rs`. Their path contains a hash of all of them, so
//! that browsers can cache them forever.

use std::io::Read as _;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::caching;
use crate::reply::{Reply, with_body};

const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file.
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    /// Whether `bytes` are compressed.
    gzipped: bool,
    bytes: &'static [u8],
    /// The inflated bytes, once a client without gzip has asked for them.
    plain: OnceLock<Bytes>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Returns the path of a file.
pub(super) fn path(name: &str) -> String {
    format!("/docs/assets/{VERSION}/{name}")
}

/// Finds a file. A file of another version is not found: its content would be cached under the wrong path.
pub(super) fn find(version: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| version == VERSION && asset.name == name)
}

impl Asset {
    const fn new(name: &'static str, content_type: &'static str, gzipped: bool, bytes: &'static [u8]) -> Self {
        Self { name, content_type, gzipped, bytes, plain: OnceLock::new() }
    }

    /// Returns the file, compressed if the client accepts that, or 304 if the client has it.
    pub(super) fn reply(&self, request: &HeaderMap) -> Reply {
        let gzip = self.gzipped && caching::accepts_gzip(request);
        // Each encoding needs an entity tag of its own (RFC 9110, section 8.8.3.3).
        let etag = if gzip { format!("\"{VERSION}-gzip\"") } else { format!("\"{VERSION}\"") };
        let mut reply = if caching::is_fresh(request, &etag) {
            caching::not_modified()
        } else if self.gzipped && !gzip {
            with_body(StatusCode::OK, self.content_type, self.inflated())
        } else {
            with_body(StatusCode::OK, self.content_type, Bytes::from_static(self.bytes))
        };
        caching::mark(&mut reply, &etag, FOREVER);
        let headers = reply.headers_mut();
        if self.gzipped {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        reply
    }

    fn inflated(&self) -> Bytes {
        let inflate = || {
            // gzip ends with the length. A vector that grows would take twice the memory, which an instance never returns.
            let length = self.bytes.last_chunk().map_or(0, |length| u32::from_le_bytes(*length));
            let mut plain = Vec::with_capacity(length as usize);
            // Checked at build time.
            let _ = GzDecoder::new(self.bytes).read_to_end(&mut plain);
            plain.into()
        };
        self.plain.get_or_init(inflate).clone()
    }
}
