//! What the fuzz targets share.

pub mod server;
pub mod sqlite;

#[allow(dead_code, unused_imports, reason = "shared with the native tests, which use more of it")]
#[path = "../../tests/api/support/mod.rs"]
mod support;
