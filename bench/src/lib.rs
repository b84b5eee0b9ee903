//! What the programs of this package share: the release build as a child process, and clients.

pub mod api;
pub mod client;
pub mod pace;
pub mod process;
pub mod release;
pub mod server;
