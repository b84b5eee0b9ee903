//! The frame of a command: its arguments in, an exit status and at most one complaint out.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use futures_lite::future::block_on;
use lanterne_database as db;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// What it was given is wrong, a word or a variable: exit status 2, where the host asks for it.
    Usage(String),
    /// It was understood and could not be done: exit status 1.
    Failed(String),
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs `command` with the words after the program's name, to its end; its failure becomes one line on stderr that
/// begins with `name`, and the exit status.
///
/// `wasi:cli/run` has one way to fail, so that most hosts make 1 of every status; `exit_status` keeps it for those that
/// ask.
pub fn run(name: &str, command: impl AsyncFnOnce(Vec<String>) -> Result<(), Failure>) -> ExitCode {
    // Arguments that are not UTF-8 cannot be any of ours: shown with replacement characters, they are refused as
    // unknown words.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (message, status) = match block_on(command(words)) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(message)) => (message, 1),
        Err(Failure::Usage(message)) => (message, 2),
    };
    #[cfg(target_family = "wasm")]
    crate::exit_status::keep(status);
    // If stderr is closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "{name}: {message}");
    ExitCode::from(status)
}

/// Writes one line for the user to stdout. A reader that went away (`migrate history | head -1`) is no failure.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// As [`say`], but red on a terminal, unless its user wants no colours (no-color.org).
pub fn warn(line: impl Display) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !no_color {
        say(format_args!("\x1b[31m{line}\x1b[0m"));
    } else {
        say(line);
    }
}
