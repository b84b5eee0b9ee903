//! The API without a host: requests go through the pipeline to a real SQLite file, with a clock that the test sets.

mod support;

mod access;
mod address;
mod admin;
mod admin_lists;
mod audit;
mod cors;
mod docs;
mod errors;
mod health;
mod keys;
mod login;
mod mail;
mod me;
mod openapi;
mod passwords;
mod recovery;
mod refresh;
mod register;
mod security;
mod sessions;
mod tables;
mod throttle;
mod tokens;
mod verification;
