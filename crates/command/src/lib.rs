//! What the command components share: a main that reports, the database and the variables of the app.
//!
//! A command component is a plain `wasi:cli` program: it gets its words as arguments, speaks on stdout and stderr, and
//! ends with an exit status. [`run`] is the whole of that; [`Database`], [`Store`] and [`variable`] are what the host offers, and
//! [`open_migrated`] is what most commands begin with.
//!
//! Natively there is no such host. The commands are compiled natively all the same, since that is where their tests
//! run, and without the generator of bindings, which would cost `cargo test` a minute.

mod migrated;
mod program;

#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod database;
#[cfg(target_family = "wasm")]
mod exit_status;
#[cfg(target_family = "wasm")]
mod store;
#[cfg(target_family = "wasm")]
mod variables;

#[cfg(not(target_family = "wasm"))]
mod hostless;

#[cfg(not(target_family = "wasm"))]
pub use hostless::{Database, Store, variable};
pub use migrated::{BUSY_TIMEOUT, open_migrated};
pub use program::{Failure, run, say, warn};
#[cfg(target_family = "wasm")]
pub use {database::Database, store::Store, variables::variable};
