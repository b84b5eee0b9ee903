//! Terminal output: progress on stdout, or on stderr if stdout belongs to a command; errors on stderr.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Where progress is printed, and how.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    quiet: bool,
    color: bool,
    on_stderr: bool,
}

/// An invalid argument or variable, as opposed to a failure: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl Console {
    /// Prints progress on stdout, unless `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, color: stdout().is_terminal() && !no_color(), on_stderr: false }
    }

    /// Prints progress on stderr, unless `quiet`: stdout belongs to a command, and may be a file.
    pub(crate) fn beside_output(quiet: bool) -> Self {
        Self { quiet, color: stderr().is_terminal() && !no_color(), on_stderr: true }
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether the output of components is shown. That of a command always is: it may be a new password.
    pub(crate) fn shows_components(self) -> bool {
        self.on_stderr || !self.quiet
    }

    /// Prints a step and its details: `      Built  api in 2.1 s`.
    pub(crate) fn done(self, what: &str, how: impl Display) {
        let (bold, plain) = if self.color { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") };
        self.line(format_args!("{bold}{what:>11}{plain}  {how}"));
    }

    /// Prints a line that scripts may wait for, even if quiet.
    pub(crate) fn announce(self, line: impl Display) {
        // A closed stdout is no reason to stop serving.
        let mut stdout = stdout().lock();
        let _ = writeln!(stdout, "{line}");
        let _ = stdout.flush();
    }

    /// Prints a line, unless quiet.
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

    /// Installs this console as the logger of a command.
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

/// Whether the user wants no colors: <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Prints an error, with the program's name before each of its lines.
pub(crate) fn error(error: impl Display) {
    let mut stderr = stderr().lock();
    for line in error.to_string().lines() {
        let _ = writeln!(stderr, "lanterne: {line}");
    }
}
