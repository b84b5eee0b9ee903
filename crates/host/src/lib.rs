//! Runs the components of a Spin app on wasmtime.
//!
//! [`project`], [`manifest`], [`variables`], [`dotenv`] and [`databases`] read the app. [`host`] makes components ready:
//! [`engine`], its `clock` and `component_cache` compile and drive them, `imports` checks what they ask for,
//! `interfaces` and [`storage`] are what they get. [`serve`] answers requests with them, [`command`] runs one to its end.

pub mod command;
pub mod console;
pub mod databases;
pub mod dotenv;
pub mod engine;
pub mod host;
pub mod manifest;
pub mod project;
pub mod serve;
pub mod storage;
pub mod variables;

mod bindings;
mod clock;
mod component_cache;
mod imports;
mod interfaces;
mod state;
