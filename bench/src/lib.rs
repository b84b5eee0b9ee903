//! What the programs of this package share: a server as a child process, and a client.

pub mod client;
pub mod server;
