//! What the command components share.
//!
//! A command component is a plain `wasi:cli` program: arguments in, text on stdout and stderr out, and an exit status.
//! [`run`] is its frame; [`Database`] and [`variable`] are what the host offers; [`open_migrated`] is how most
//! commands start.
//!
//! Natively the commands are compiled for their unit tests only, without a host and without the generator of bindings,
//! which would cost `cargo test` a minute.

#[cfg(target_family = "wasm")]
mod host;
#[cfg(not(target_family = "wasm"))]
#[path = "no_host.rs"]
mod host;

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use futures_lite::future::block_on;
use lanterne_database::{self as db, Connection as _};

pub use host::{Database, variable};

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// An argument or a variable is wrong: exit status 2, on hosts that ask for it.
    Usage(String),
    /// Anything else: exit status 1.
    Failed(String),
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs `command` with the words after the program's name and returns the exit status. Writes a failure to stderr as one
/// line that starts with `name`.
///
/// `wasi:cli/run` only says whether a program failed, and most hosts make 1 of every failure; the host's half keeps the
/// status for those that ask.
pub fn run(name: &str, command: impl AsyncFnOnce(Vec<String>) -> Result<(), Failure>) -> ExitCode {
    // No valid argument is beyond UTF-8: with replacement characters, others are refused as unknown.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (message, status) = match block_on(command(words)) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(message)) => (message, 1),
        Err(Failure::Usage(message)) => (message, 2),
    };
    host::set_exit_status(status);
    // A closed stderr cannot report an error.
    let _ = writeln!(std::io::stderr().lock(), "{name}: {message}");
    ExitCode::from(status)
}

/// Reads variables; returns a look-up of their values, in which one that the manifest does not grant is missing.
///
/// # Errors
/// The host failed.
pub fn lookup(names: &'static [&'static str]) -> Result<impl Fn(&str) -> Option<String>, Failure> {
    let values: Vec<_> = names.iter().map(|name| variable(name)).collect::<Result<_, _>>()?;
    Ok(move |name: &str| names.iter().position(|known| *known == name).and_then(|index| values[index].clone()))
}

/// Writes a line to stdout. A closed pipe (`migrate history | head -1`) is no failure.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes a line to stdout, in red on a terminal unless `NO_COLOR` is set and not empty (no-color.org).
pub fn warn(line: impl Display) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !no_color {
        say(format_args!("\x1b[31m{line}\x1b[0m"));
    } else {
        say(line);
    }
}

/// The least similarity of a word that is suggested, from 0 to 1.
const SIMILARITY_MIN: f64 = 0.8;

/// Returns the question whether the one of `known` that resembles `word` most was meant, as the rest of a sentence; empty
/// if none resembles it.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let similarity = |known: &&str| strsim::jaro(word, known);
    let similar = known.into_iter().filter(|known| similarity(known) >= SIMILARITY_MIN);
    let most = similar.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    most.map(|known| format!("; did you mean {known}?")).unwrap_or_default()
}

/// Opens the app's database with foreign keys enforced.
///
/// # Errors
/// It cannot be opened, or no migration was applied; the message then says how to apply them.
pub async fn open_migrated() -> Result<Database, Failure> {
    let db = Database::open().await?;
    // The first migration creates several tables in one transaction: checking one is enough.
    let tables = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'users'", vec![]).await?;
    if tables.is_empty() {
        return Err(Failure::Failed(
            "the database has no table users: run `cargo lanterne migrate upgrade head` first \
             (on Spin: `spin up -f spin.commands.toml -c migrate -- upgrade head`)"
                .to_owned(),
        ));
    }
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn only_a_similar_word_is_suggested() {
        let known = ["--admin-email", "--admin-password-stdin", "upgrade", "downgrade"];
        assert_eq!(suggestion("--admin-emial", known), "; did you mean --admin-email?");
        assert_eq!(suggestion("upgrad", known), "; did you mean upgrade?");
        assert_eq!(suggestion("--force", known), "");
        assert_eq!(suggestion("", known), "");
    }
}
