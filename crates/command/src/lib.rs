//! What the command components share: a main that reports, the database and the variables of the app.
//!
//! A command component is a plain `wasi:cli` program: it gets its words as arguments, speaks on stdout and stderr, and
//! ends with an exit status. [`run`] is the whole of that; [`Database`] and [`variable`] are what the host offers.

mod bindings;

mod database;
mod program;
mod variables;

pub use database::Database;
pub use program::{Failure, run, say};
pub use variables::variable;
