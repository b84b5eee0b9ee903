//! The files behind the pages: Swagger UI and our own styles, as `build.rs` gathered them.
//!
//! Their address has the hash of them all in it, so that a browser can keep them for good.

use std::io::Read as _;

use flate2::read::GzDecoder;
use http::{HeaderValue, StatusCode, header};
use spin_sdk::http::HeaderMap;

use super::caching;
use crate::reply::{Reply, with_body};

const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    /// The large ones are kept small.
    gzipped: bool,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The address of a file.
pub(super) fn address(name: &str) -> String {
    format!("/docs/assets/{VERSION}/{name}")
}

/// The file at an address. One of another version is not there: its content would be kept under the wrong address.
pub(crate) fn find(version: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| version == VERSION && asset.name == name)
}

impl Asset {
    /// The file, unless the client has it: gzipped if it is so and the client reads that.
    pub(crate) fn reply(&self, request: &HeaderMap) -> Reply {
        let gzip = self.gzipped && caching::accepts_gzip(request);
        // Two spellings of one content are two versions (RFC 9110, section 8.8.3.3).
        let etag = if gzip { format!("\"{VERSION}-gzip\"") } else { format!("\"{VERSION}\"") };
        let mut reply = if caching::is_fresh(request, &etag) {
            caching::not_modified()
        } else if self.gzipped && !gzip {
            with_body(StatusCode::OK, self.content_type, self.inflated().into())
        } else {
            with_body(StatusCode::OK, self.content_type, bytes::Bytes::from_static(self.bytes))
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

    fn inflated(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        // Our own bytes, whole and checked at build time.
        let _ = GzDecoder::new(self.bytes).read_to_end(&mut plain);
        plain
    }
}
