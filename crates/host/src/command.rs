//! Runs a command component to its end.

use anyhow::{Result, anyhow};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::host::{Host, Loaded, first_line};
use crate::state::State;

/// Runs `command` with `words` and gives its exit status.
pub(crate) async fn run(host: &Host, command: &Loaded, words: &[String]) -> Result<i32> {
    let name = &command.name;
    let mut arguments = vec![name.clone()];
    arguments.extend_from_slice(words);
    let mut store = State::new_store(&host.engine, &command.grants, &arguments);
    let pre = CommandPre::new(command.pre.clone())
        .map_err(|_| anyhow!("the component {name:?} is no command: it exports no wasi:cli/run@0.2"))?;
    let _busy = host.engine.busy();
    let instance = pre.instantiate_async(&mut store).await?;
    match instance.wasi_cli_run().call_run(&mut store).await {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(status)) => Ok(*status),
            None => {
                let cause = error.root_cause().to_string();
                Err(anyhow!("the command {name:?} failed: {}", first_line(&cause)))
            }
        },
    }
}
