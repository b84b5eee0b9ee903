//! The domain: accounts, sessions, tokens, passwords and their SQL, without HTTP and without a host.
//!
//! [`accounts`] holds the actions; below it stand the rules ([`password`], [`token`], [`throttle`], [`email`]) and the tables
//! ([`users`], [`sessions`], [`token_pairs`], [`audit`], [`one_time_tokens`], [`outbox`], [`revision`]). Nothing here knows
//! HTTP, opens a database or reads the environment.

#[cfg(feature = "tokens")]
pub mod accounts;
pub mod error;

pub mod blocklist;
pub mod email;
#[cfg(feature = "tokens")]
pub mod mail;
pub mod password;
pub mod removal;
pub mod secret;
#[cfg(feature = "tokens")]
pub mod throttle;
#[cfg(feature = "tokens")]
pub mod token;

pub mod audit;
pub mod one_time_tokens;
pub mod outbox;
pub mod revision;
pub mod sessions;
#[cfg(feature = "tokens")]
pub mod token_pairs;
pub mod users;

pub mod client;
#[cfg(feature = "tokens")]
pub mod config;
pub mod environment;

mod conditions;
mod pattern;

#[cfg(test)]
mod plans;
