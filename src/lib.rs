//! The REST API: accounts, tokens and sessions over HTTP, as one WebAssembly component.
//!
//! [`pipeline`] handles a request from top to bottom: it looks up a row in the table of [`routes`] and passes a `Call` to
//! its handler in `api`, which parses its input (`input`) and returns a reply. The rules and all SQL are in
//! `lanterne-core`. The OpenAPI document and the pages of `docs` are generated from the same table.
//!
//! The crate compiles natively as well, without `spin`: tests implement [`app::Host`] on an SQLite file.

pub mod app;
pub mod delivery;
pub mod pipeline;

mod routes;

mod api;
mod docs;
mod input;

mod call;
mod cors;
mod error;
mod reply;

#[cfg(target_family = "wasm")]
mod spin;
