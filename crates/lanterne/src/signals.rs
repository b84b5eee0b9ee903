//! Signals to the process before it serves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The handlers of the signals that stop the program.
pub(crate) struct Signals {
    exits: Arc<AtomicBool>,
}

impl Signals {
    /// Makes SIGTERM and SIGINT end the program with status 0, also as process 1 of a container, for which the system does
    /// nothing by default. SIGHUP, sent when a terminal closes, is ignored.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub(crate) fn install() -> io::Result<Self> {
        let exits = Arc::new(AtomicBool::new(true));
        for signal in [SIGTERM, SIGINT] {
            flag::register_conditional_shutdown(signal, 0, exits.clone())?;
        }
        flag::register(SIGHUP, Arc::default())?;
        Ok(Self { exits })
    }

    /// Leaves SIGTERM and SIGINT to the server, which has its own handlers.
    pub(crate) fn leave_to_server(&self) {
        self.exits.store(false, Ordering::SeqCst);
    }
}
