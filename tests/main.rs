//! Integration tests of the real components, over HTTP and on SQLite files; one module for each area.
//!
//! Each test starts its own server, `TestApp::start()`, on a free port and in a temporary folder with a copy of a migrated
//! database. The server is the release build of `lanterne`, which the first test builds along with the components, so
//! that `cargo test` and `cargo lanterne up` share one build of wasmtime. With `LANTERNE_TEST_HOST=spin` it is `spin` from
//! the PATH, and the tests of `lanterne` itself are ignored. With `LANTERNE_TEST_LIBSQL_URL` as well, [`scale_out`] runs.

mod support;

mod contract;

mod address;
mod framing;

mod browser;

mod limits;
mod load;
mod log;
mod mail;
mod metrics;
mod races;
mod receivers;
mod refusals;
mod restart;
mod scale_out;
mod stop;
mod throttle;
mod traps;

mod adoption;
mod autogenerate;
mod backup;
mod commands;
mod config;
mod crash;
mod delivery;
mod faults;
mod host;
mod migrated_rows;
mod migrations;
mod one_file;
mod outgoing;
mod prune;
mod recovery;
mod restore;
mod seed;
mod users;
mod watch;
