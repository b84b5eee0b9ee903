//! The exit status of a program that failed, for a host that asks for it.
//!
//! All that `wasi:cli/run` tells is whether it went well. (`exit-with-code` of `wasi:cli/exit@0.2.12` would tell more, but
//! Spin's trigger for commands, 0.6, is built on a wasmtime that is older than that, and a component that imports what
//! its host does not offer does not run at all.) So the status waits in the instance, behind an export that a host may
//! leave alone: the interface `exit-status` of `wit/world.wit`.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::bindings::exports::lanterne::backend::exit_status::Guest;

static STATUS: AtomicU8 = AtomicU8::new(1);

/// What is behind the export.
pub(crate) struct ExitStatus;

impl Guest for ExitStatus {
    fn get() -> u8 {
        STATUS.load(Ordering::Relaxed)
    }
}

/// Keeps the status for whoever asks. The program must end by returning from its main: nobody can ask after an exit.
pub(crate) fn keep(status: u8) {
    STATUS.store(status, Ordering::Relaxed);
}
