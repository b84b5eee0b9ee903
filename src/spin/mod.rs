//! The component on its host: the export, and the services behind [`Host`].

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic if nobody reads")]

mod database;
mod key_value;
mod outgoing;
mod response;

use std::io::{Write, stderr, stdout};
use std::sync::OnceLock;

use lanterne_core::config::{Config, VARIABLES};
use lanterne_core::mail::Post;
use lanterne_core::throttle::Cache;
use lanterne_database::{self as db, BoxFuture, Connection, Timestamp};
use spin_sdk::http::Request;
use spin_sdk::variables;
use spin_sdk::wasip3::http::types::{ErrorCode, Response};

use crate::app::{App, Host};
use crate::pipeline;

#[spin_sdk::http_service]
async fn serve(request: Request) -> Result<Response, ErrorCode> {
    response::pass(pipeline::serve(&Spin, request).await).await
}

/// Spin, or another host of the same interfaces.
struct Spin;

impl Host for Spin {
    fn app(&self) -> BoxFuture<'_, Result<&App, String>> {
        Box::pin(async { app().await })
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Connection>, db::Error>> {
        Box::pin(async { Ok(Box::new(database::check_out().await?) as Box<dyn Connection>) })
    }

    fn cache(&self) -> &dyn Cache {
        &key_value::KeyValue
    }

    fn check_key_value(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(key_value::check())
    }

    fn send<'a>(&'a self, post: &'a Post) -> BoxFuture<'a, Result<u16, String>> {
        Box::pin(outgoing::post(post))
    }

    fn log(&self, line: &str) {
        log(line);
    }

    fn log_info(&self, line: &str) {
        write_line(stdout(), line);
    }
}

/// Writes a line about a fault to the component's log.
fn log(line: &str) {
    write_line(stderr(), line);
}

/// Writes a line to a stream that the host keeps as a log, in one piece: lines of several instances must not mix. A log that
/// cannot be written fails no request.
fn write_line(mut log: impl Write, line: &str) {
    let _ = log.write_all(format!("{line}\n").as_bytes());
}

/// Reads the variables, once per instance. An error is not kept: a provider that failed may answer next time.
async fn app() -> Result<&'static App, String> {
    static APP: OnceLock<App> = OnceLock::new();
    if let Some(app) = APP.get() {
        return Ok(app);
    }
    let mut values = Vec::new();
    for name in VARIABLES {
        match variables::get(name).await {
            Ok(value) => values.push((name, value)),
            // A required variable without a value, which `Config` reports.
            Err(variables::Error::Undefined(_)) => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    let lookup = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let config = Config::from_lookup(lookup).map_err(|errors| errors.to_string().replace('\n', "; "))?;
    Ok(APP.get_or_init(|| App::new(config)))
}
