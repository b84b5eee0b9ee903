//! Runs a command component to completion.

use anyhow::{Result, anyhow};
use wasmtime::Store;
use wasmtime::component::Instance;
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use crate::cause;
use crate::engine::Engine;
use crate::host::LoadedComponent;
use crate::instance::InstanceState;

/// The interface of `wit/world.wit` through which a command reports its exit status.
const EXIT_STATUS: &str = "lanterne:backend/exit-status@0.1.0";

/// Puts the name of a command before its arguments.
pub(crate) fn arguments<S: AsRef<str>>(name: &str, arguments: &[S]) -> Vec<String> {
    [name].into_iter().chain(arguments.iter().map(AsRef::as_ref)).map(str::to_owned).collect()
}

/// Runs `command` with `arguments`, the first of which is its name, and with the environment and streams of `wasi`.
/// Returns its exit status.
pub(crate) async fn run(
    engine: &Engine,
    command: &LoadedComponent,
    arguments: &[String],
    wasi: &mut WasiCtxBuilder,
) -> Result<i32> {
    let name = &command.name;
    let mut store = InstanceState::new_store(engine, &command.grants, wasi.args(arguments));
    let _busy = engine.busy();
    let instance = command.pre.instantiate_async(&mut store).await?;
    let program = Command::new(&mut store, &instance)
        .map_err(|_| anyhow!("the component {name:?} is no command: it exports no wasi:cli/run@0.2"))?;
    let status = match program.wasi_cli_run().call_run(&mut store).await {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => exit_status(&instance, &mut store).await,
        Err(error) => Err(error),
    };
    status.or_else(|error| match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(status)) => Ok(*status),
        None => Err(anyhow!("the command {name:?} failed: {}", cause(&error))),
    })
}

/// Asks a program whose `run` returned an error for its status; 1 if it exports none.
async fn exit_status(instance: &Instance, store: &mut Store<InstanceState>) -> wasmtime::Result<i32> {
    let interface = instance.get_export_index(&mut *store, None, EXIT_STATUS);
    let get = interface.and_then(|interface| instance.get_export_index(&mut *store, Some(&interface), "get"));
    let Some(get) = get else {
        return Ok(1);
    };
    let get = instance.get_typed_func::<(), (u8,)>(&mut *store, get)?;
    let (status,) = get.call_async(&mut *store, ()).await?;
    // `run` has failed: 0 would report success.
    Ok(i32::from(status).max(1))
}
