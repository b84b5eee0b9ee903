//! One module a group of routes: parse, act, reply. No SQL, no status codes beyond success.

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod me;

mod replies;

pub(crate) use replies::{AuditLogPageReply, SessionReply, TokenReply, UserPageReply, UserReply};
