//! The API, one file per resource. Each holds, per endpoint: the request, the reply, the handler and its description.

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod me;
pub(crate) mod recovery;
