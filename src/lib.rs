//! The API component of Lanterne Rouge: every route of the REST API, as one WebAssembly component for Spin.
//!
//! A request goes one way, read from top to bottom in [`pipeline`]: it finds its line in the table of [`routes`], is
//! handed to a function in [`handlers`] as a [`call::Call`], and comes back as a [`reply::Reply`]. What the handlers
//! decide with is not here: accounts, tokens, passwords and all SQL live in `lanterne-core`.
//!
//! The same table makes the document of [`openapi`], which the [`pages`] show to people.

mod pipeline;
mod routes;

mod handlers;
mod openapi;
mod pages;

mod call;
mod cors;
mod error;
mod reply;

mod database;
mod memory;
mod settings;

use spin_sdk::http::{IntoResponse, Request};

#[spin_sdk::http_service]
async fn serve(request: Request) -> impl IntoResponse {
    pipeline::serve(request).await
}
