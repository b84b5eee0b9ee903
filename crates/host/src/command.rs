//! Runs a command component to its end.

use anyhow::{Result, anyhow};
use wasmtime::Store;
use wasmtime::component::Instance;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::Command;

use crate::host::{Host, Loaded, first_line};
use crate::state::State;

/// The interface of `wit/world.wit` with which a command may say which failure it was.
const EXIT_STATUS: &str = "lanterne:backend/exit-status@0.1.0";

/// Runs `command` with `words` and gives its exit status.
pub async fn run(host: &Host, command: &Loaded, words: &[String]) -> Result<i32> {
    let name = &command.name;
    let mut arguments = vec![name.clone()];
    arguments.extend_from_slice(words);
    let mut store = State::new_store(&host.engine, &command.grants, &arguments);
    let _busy = host.engine.busy();
    let instance = command.pre.instantiate_async(&mut store).await?;
    let program = Command::new(&mut store, &instance)
        .map_err(|_| anyhow!("the component {name:?} is no command: it exports no wasi:cli/run@0.2"))?;
    let result = match program.wasi_cli_run().call_run(&mut store).await {
        Ok(Ok(())) => return Ok(0),
        Ok(Err(())) => exit_status(&instance, &mut store).await,
        Err(error) => Err(error),
    };
    result.or_else(|error| match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(status)) => Ok(*status),
        None => {
            let cause = error.root_cause().to_string();
            Err(anyhow!("the command {name:?} failed: {}", first_line(&cause)))
        }
    })
}

/// The status of a program whose `run` has returned an error: what it says, if it says anything.
async fn exit_status(instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<i32> {
    let interface = instance.get_export_index(&mut *store, None, EXIT_STATUS);
    let get = interface.and_then(|interface| instance.get_export_index(&mut *store, Some(&interface), "get"));
    let Some(get) = get else {
        return Ok(1);
    };
    let get = instance.get_typed_func::<(), (u8,)>(&mut *store, get)?;
    let (status,) = get.call_async(&mut *store, ()).await?;
    // A failure must not look like success.
    Ok(i32::from(status).max(1))
}
