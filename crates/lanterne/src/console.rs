//! What the user sees: progress on stdout, or on stderr beside the output of a command; errors on stderr.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Where progress is printed, and how.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    quiet: bool,
    colour: bool,
    on_stderr: bool,
}

/// The user gave us something wrong, as opposed to something that failed: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl Console {
    /// Prints progress on stdout, unless `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, colour: stdout().is_terminal() && !no_color(), on_stderr: false }
    }

    /// Prints progress on stderr, unless `quiet`: stdout belongs to a command, and may be a file.
    pub(crate) fn beside_output(quiet: bool) -> Self {
        Self { quiet, colour: stderr().is_terminal() && !no_color(), on_stderr: true }
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether what components print is shown. A command was run for its output, which may be a new password.
    pub(crate) fn shows_components(self) -> bool {
        self.on_stderr || !self.quiet
    }

    /// Prints what was done, and how it went: `      Built  api in 2.1 s`.
    pub(crate) fn done(self, what: &str, how: impl Display) {
        let (bold, plain) = if self.colour { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") };
        self.line(format_args!("{bold}{what:>11}{plain}  {how}"));
    }

    /// Prints a line that scripts may wait for, even if quiet.
    pub(crate) fn announce(self, line: impl Display) {
        // Whoever reads stdout may be gone, which is no reason to stop serving.
        let mut stdout = stdout().lock();
        let _ = writeln!(stdout, "{line}");
        let _ = stdout.flush();
    }

    /// Prints a line.
    pub(crate) fn line(self, line: impl Display) {
        if self.quiet {
            return;
        }
        if self.on_stderr {
            let _ = writeln!(stderr().lock(), "{line}");
        } else {
            self.announce(line);
        }
    }

    /// Prints from now on what the host logs.
    pub(crate) fn print_log(self) {
        if log::set_logger(Box::leak(Box::new(self))).is_ok() {
            log::set_max_level(LevelFilter::Info);
        }
    }
}

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("lanterne_host")
    }

    fn log(&self, record: &Record<'_>) {
        match record.level() {
            _ if !self.enabled(record.metadata()) => {}
            Level::Error | Level::Warn => error(record.args()),
            _ => self.done("Host", record.args()),
        }
    }

    fn flush(&self) {}
}

/// Whether the user wants no colours: <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Prints an error, or several of them on lines of their own.
pub(crate) fn error(error: impl Display) {
    let mut stderr = stderr().lock();
    for line in error.to_string().lines() {
        let _ = writeln!(stderr, "lanterne: {line}");
    }
}
