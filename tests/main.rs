//! The real components over HTTP on a real SQLite file, one file an area.
//!
//! Every test starts a server of its own, on a free port and in a temporary folder: `TestApp::start()`, a request, the
//! reply, the rows. The server is the release build of `lanterne`, which the first test builds together with the
//! components, so that one build of wasmtime serves `cargo lanterne up` and `cargo test`. With `LANTERNE_TEST_HOST=spin`
//! it is `spin`, which must be on the PATH; what concerns `lanterne` alone is then left out, and says so.

mod support;

mod address;
mod framing;

mod browser;

mod limits;
mod races;
mod restart;
mod traps;

mod adoption;
mod autogenerate;
mod backup;
mod commands;
mod config;
mod crash;
mod host;
mod migrated_rows;
mod migrations;
mod prune;
mod restore;
mod seed;
