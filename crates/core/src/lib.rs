//! The domain of Lanterne Rouge: accounts, sessions, tokens and passwords, without HTTP and without a host.
//!
//! Read it from the top: [`accounts`] is what people do; below it stand the rules it follows
//! ([`password`], [`token`], [`throttle`]), the tables it keeps ([`users`], [`sessions`], [`audit`], [`retention`]) and what they are
//! made of.
//! What a request may hold stands in [`requests`], by the rules of [`validation`], [`email`] and [`json`].
//! Nothing here knows of HTTP status codes, opens a database or reads an environment.

pub mod accounts;
pub mod error;

pub mod email;
pub mod json;
pub mod requests;
pub mod validation;

pub mod password;
pub mod throttle;
pub mod token;

pub mod audit;
pub mod retention;
pub mod sessions;
pub mod users;

pub mod client;
pub mod config;

mod conditions;

#[cfg(test)]
mod plans;
