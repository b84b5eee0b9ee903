//! Runs the components of a Spin app on wasmtime, with Spin's manifests and Spin's state on disk.
//!
//! Read an [`App`] from its manifests and create a [`Host`] for it. [`Host::run_command`] runs a `wasi:cli` component to
//! completion; [`Host::into_server`] returns a [`Server`], which answers HTTP requests with `wasi:http` components.
//! Components can import WASI, `wasi:http`, `spin:sqlite`, `spin:variables`, `spin:key-value` and `wasi:config`, as far as the
//! manifest grants them.
//!
//! Logs with the crate `log`: each request of a [`Server`] in one record, with fields; what components print while they
//! answer requests; and failures that are returned to no caller, such as a trap.

pub mod manifest;

mod cache;
mod command;
mod engine;
mod host;
mod instance;
mod interfaces;
mod metrics;
mod outgoing;
mod output;
mod reload;
mod schedule;
mod serve;
mod storage;
mod threads;
mod variables;

pub use host::{Host, HostConfig};
pub use manifest::{App, EmbeddedApp};
pub use metrics::Outcomes;
pub use reload::Reloader;
pub use serve::{Event, Server, ServerConfig};
pub use storage::{StateDir, create_private_dir};

/// Returns the first line of the innermost cause: what follows may be a backtrace.
fn cause(error: &wasmtime::Error) -> String {
    error.root_cause().to_string().lines().next().unwrap_or_default().to_owned()
}
