//! A server in the test's process. Accounts, tokens, replies and database access are shared with the tests of the
//! component.

#[path = "../../support/account.rs"]
mod account;
mod app;
#[path = "../../support/database.rs"]
mod database;
mod document;
mod host;
mod receiver;
#[path = "../../support/reply.rs"]
mod reply;
#[path = "../../support/token.rs"]
mod token;

pub(crate) use account::{Account, PASSWORD, Tokens};
pub(crate) use app::TestApp;
pub(crate) use database::{Database, is_sql_time};
pub(crate) use document::{Document, conforms};
pub(crate) use receiver::{Received, Receiver};
pub(crate) use reply::Reply;
pub(crate) use token::{SECRET, claims, header, mint};
