//! One module a group of routes: parse, act, reply. No SQL, no status codes beyond success.

pub(crate) mod auth;
pub(crate) mod docs;
pub(crate) mod health;
