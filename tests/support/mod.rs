//! Shared by the tests: servers, projects, a client, the database, tokens.

mod account;
mod app;
mod artifacts;
mod authority;
mod database;
mod example_receiver;
mod http;
mod project;
mod receiver;
mod reply;
mod server;
mod token;
mod webhook;

pub(crate) use account::{Account, PASSWORD, Tokens};
pub(crate) use app::TestApp;
pub(crate) use artifacts::{Host, root};
pub(crate) use authority::Authority;
pub(crate) use database::{Database, is_sql_time};
pub(crate) use example_receiver::{ExampleReceiver, WEBHOOK_SECRET};
pub(crate) use http::Client;
pub(crate) use project::{Finished, Project};
pub(crate) use receiver::Receiver;
pub(crate) use reply::Reply;
pub(crate) use token::{SECRET, claims, header, mint, signature};
pub(crate) use webhook::Message;
