//! Commands that run periodically while a server is running.

use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::time::MissedTickBehavior;
use wasmtime_wasi::WasiCtx;

use crate::command;
use crate::engine::Engine;
use crate::host::LoadedComponent;
use crate::output::Output;

/// Runs `command` immediately and then every `interval`, until cancelled. Logs its output and its failures.
pub(crate) async fn repeat(engine: Arc<Engine>, command: LoadedComponent, arguments: Vec<String>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let component: Arc<str> = command.name.as_str().into();
    let output = |level| Output { component: component.clone(), level };
    loop {
        ticks.tick().await;
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output(Level::Info)).stderr(output(Level::Error));
        match command::run(&engine, &command, &arguments, &mut wasi).await {
            Ok(0) => {}
            Ok(status) => log::error!("{component} failed with status {status}"),
            Err(error) => log::error!("{error:#}"),
        }
    }
}
