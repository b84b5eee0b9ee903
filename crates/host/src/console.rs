//! What the user sees: progress on stdout, or beside a command's own output on stderr; faults on stderr.

use std::fmt::{self, Display};
use std::io::{IsTerminal as _, Write as _};

/// How much is shown, and how.
#[derive(Clone, Copy)]
pub struct Console {
    quiet: bool,
    colour: bool,
    on_stderr: bool,
}

impl Console {
    /// Colours are for terminals only, and not for those who set NO_COLOR.
    pub fn new(quiet: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { quiet, colour, on_stderr: false }
    }

    /// The same on stderr: stdout is the command's, and may go into a file.
    pub fn beside_output(self) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { on_stderr: true, colour, ..self }
    }

    /// Whether only faults are shown.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether what components print is shown. A command's output is what it was run for, and may be a new password.
    pub fn shows_components(self) -> bool {
        self.on_stderr || !self.quiet
    }

    /// A line about something that was done: what, and how it went.
    pub fn done(self, what: &str, how: impl Display) {
        let (bold, plain) = self.marks();
        self.line(format_args!("{bold}{what:>11}{plain}  {how}"));
    }

    /// A line that scripts may wait for. It is shown in any case.
    pub fn announce(self, line: impl Display) {
        print(&line);
    }

    /// A line of plain text.
    pub fn line(self, line: impl Display) {
        if self.quiet {
            return;
        }
        if self.on_stderr {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        } else {
            print(&line);
        }
    }

    fn marks(self) -> (&'static str, &'static str) {
        if self.colour { ("\x1b[1;32m", "\x1b[0m") } else { ("", "") }
    }
}

/// Whoever reads stdout may be gone; that is no reason to stop serving.
#[allow(clippy::print_stdout, reason = "the one place that talks to the user")]
fn print(line: &dyn Display) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// A fault on stderr. One line, or a line for each of several faults.
pub fn fault(fault: impl Display) {
    let mut stderr = std::io::stderr().lock();
    for line in fault.to_string().lines() {
        let _ = writeln!(stderr, "lanterne: {line}");
    }
}

/// Something wrong with what the user gave us, as opposed to something that failed.
#[derive(Debug)]
pub struct Mistake(String);

impl Mistake {
    /// A mistake, explained in one line.
    #[allow(clippy::new_ret_no_self, reason = "it is only ever used as an error")]
    pub fn new(explanation: String) -> anyhow::Error {
        Self(explanation).into()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}
