//! What the programs of this package share: servers as child processes, a client, and loads.

pub mod client;
pub mod load;
pub mod pace;
pub mod process;
pub mod release;
pub mod server;
pub mod user;
