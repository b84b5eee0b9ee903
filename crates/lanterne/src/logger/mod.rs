//! The log of a server: one line per record on standard error, as text or as JSON.
//!
//! A [`queue`] decouples the server from whoever reads the log: a log that is slow or full costs lines, never a request.

mod line;
mod queue;

use std::io::stderr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use log::{LevelFilter, Log, Metadata, Record};

pub(crate) use line::Format;
use queue::Queue;

/// How long the last lines may take to be written at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes the records of this program and of the host.
struct Logger {
    format: Format,
    queue: Queue,
}

/// Installs the logger.
///
/// # Errors
/// The system refuses a thread.
pub(crate) fn install(format: Format, level: LevelFilter) -> Result<()> {
    let queue = Queue::start(stderr(), move |count| format.dropped(count)).context("cannot start a thread")?;
    if log::set_boxed_logger(Box::new(Logger { format, queue })).is_ok() {
        log::set_max_level(level);
    }
    Ok(())
}

impl Log for Logger {
    /// Other crates use the same facade, and may log what is secret.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("lanterne")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.queue.push(self.format.line(record));
        }
    }

    fn flush(&self) {
        self.queue.flush(FLUSH_TIMEOUT);
    }
}
