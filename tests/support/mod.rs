//! How a test reaches the server, and what it needs around it.

mod account;
mod app;
mod artifacts;
mod database;
mod http;
mod project;
mod reply;
mod server;
mod token;

pub(crate) use account::{Account, PASSWORD, Tokens};
pub(crate) use app::TestApp;
pub(crate) use artifacts::{Host, only_on_lanterne};
pub(crate) use database::{Database, is_sql_time};
pub(crate) use project::{Finished, Project};
pub(crate) use reply::Reply;
pub(crate) use token::{SECRET, claims, header, mint};
