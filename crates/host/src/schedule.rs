//! Commands that run periodically while a server is running.

use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use wasmtime_wasi::WasiCtx;

use crate::command;
use crate::engine::Engine;
use crate::host::LoadedComponent;
use crate::output::Output;
use crate::reload::Replaceable;

/// A command with its arguments.
pub(crate) struct Job {
    pub(crate) engine: Arc<Engine>,
    pub(crate) command: Replaceable<LoadedComponent>,
    pub(crate) arguments: Vec<String>,
}

/// Runs `job` immediately and then every `interval`, until cancelled, unless `runs_max` runs are still going on.
pub(crate) async fn repeat(job: Arc<Job>, interval: Duration, runs_max: usize) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let turns = Arc::new(Semaphore::new(runs_max));
    loop {
        ticks.tick().await;
        if let Ok(turn) = turns.clone().try_acquire_owned() {
            let job = job.clone();
            tokio::spawn(async move {
                job.run().await;
                drop(turn);
            });
        }
    }
}

impl Job {
    /// Runs the command. Logs its output and its failures.
    async fn run(&self) {
        let command = self.command.get();
        let component: Arc<str> = command.name.as_str().into();
        let output = |level| Output { component: component.clone(), level };
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output(Level::Info)).stderr(output(Level::Error));
        match command::run(&self.engine, &command, &self.arguments, &mut wasi).await {
            Ok(0) => {}
            Ok(status) => log::error!("{component} failed with status {status}"),
            Err(error) => log::error!("{error:#}"),
        }
    }
}
