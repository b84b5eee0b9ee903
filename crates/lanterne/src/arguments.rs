//! Options of `lanterne` among the arguments of a command component.
//!
//! `migrate`, `seed` and `prune` pass their arguments on to a component. Clap would pass on everything after the first
//! of them; here the options of `lanterne` are found wherever they stand before `--`.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use crate::console::UsageError;

/// The most letters that are inserted, left out, replaced or swapped in a misspelt option.
const TYPOS_MAX: usize = 2;

/// Moves the options of `lanterne` before the arguments of the component. `words` begin with the name of the program.
///
/// # Errors
/// An option of `lanterne` has no value, or a word resembles an option of `lanterne` and is none.
pub(crate) fn sort(words: Vec<OsString>, program: &Command) -> Result<Vec<OsString>, UsageError> {
    let Some(command) = words.get(1).and_then(|name| program.find_subcommand(name)) else { return Ok(words) };
    if !command.get_positionals().any(Arg::is_trailing_var_arg_set) {
        return Ok(words);
    }
    let mut words = words.into_iter();
    let mut sorted: Vec<OsString> = words.by_ref().take(2).collect();
    let mut passed_on = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            passed_on.push(word);
            passed_on.extend(words);
            break;
        }
        match find(command, &word)? {
            // Help about the component is the component's own.
            Some(_) if is_help(&word) && !passed_on.is_empty() => passed_on.push(word),
            Some(false) => sorted.push(word),
            Some(true) => {
                let value = words.next().filter(|value| value != "--");
                let value = value.ok_or_else(|| UsageError(format!("{} needs a value", word.display())))?;
                sorted.extend([word, value]);
            }
            None => passed_on.push(word),
        }
    }
    sorted.extend(passed_on);
    Ok(sorted)
}

fn is_help(word: &OsStr) -> bool {
    word == "--help" || word == "-h"
}

/// Finds an option of `command`; returns whether its value is the next word.
fn find(command: &Command, word: &OsStr) -> Result<Option<bool>, UsageError> {
    // Names of options are ASCII; a value, such as a path, may be anything.
    let text = word.to_string_lossy();
    if is_help(word) {
        return Ok(Some(false));
    }
    if let Some(option) = text.strip_prefix("--") {
        let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let found = command.get_arguments().find(|arg| arg.get_long() == Some(name));
        return match found {
            Some(arg) => Ok(Some(arg.get_action().takes_values() && value.is_none())),
            None => refuse_misspelt(command, name).map(|()| None),
        };
    }
    let mut letters = text.strip_prefix('-').unwrap_or_default().chars();
    let mut found = None;
    while let Some(letter) = letters.next() {
        let Some(arg) = command.get_arguments().find(|arg| arg.get_short() == Some(letter)) else { break };
        if arg.get_action().takes_values() {
            return Ok(Some(letters.as_str().is_empty()));
        }
        found = Some(false);
    }
    Ok(found)
}

fn refuse_misspelt(command: &Command, name: &str) -> Result<(), UsageError> {
    let is_similar = |long: &&str| strsim::osa_distance(long, name) <= TYPOS_MAX;
    match command.get_arguments().filter_map(Arg::get_long).find(is_similar) {
        Some(long) => Err(UsageError(format!(
            "unknown option --{name}: did you mean --{long}? (After -- all words are passed on to the component.)"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn sorted(line: &str) -> Result<String, String> {
        let words = format!("lanterne {line}").split(' ').map(OsString::from).collect();
        let sorted = sort(words, &Cli::command()).map_err(|error| error.to_string())?;
        Ok(sorted[1..].join(OsStr::new(" ")).into_string().expect("UTF-8"))
    }

    #[test]
    fn the_value_of_an_own_option_need_not_be_utf8() {
        let path = OsString::from_vec(b"--state-dir=/tmp/\xFF".to_vec());
        let words = ["lanterne", "migrate", "current"].map(OsString::from).into_iter().chain([path.clone()]).collect();
        let sorted = sort(words, &Cli::command()).expect("a valid line");
        assert_eq!(sorted[2..], [path, "current".into()]);
    }

    #[test]
    fn own_options_stand_anywhere() {
        for (line, expected) in [
            ("migrate upgrade head --state-dir x", "migrate --state-dir x upgrade head"),
            ("migrate downgrade -1 -q --from=x --sql", "migrate -q --from=x downgrade -1 --sql"),
            ("migrate revision -m words -f x --autogenerate", "migrate -f x revision -m words --autogenerate"),
            ("migrate upgrade head -qf x", "migrate -qf x upgrade head"),
            ("seed --admin-email a@b.org -fx --no-build", "seed -fx --no-build --admin-email a@b.org"),
            (
                "prune --variable a=b --audit-days 3 --variable c=d",
                "prune --variable a=b --variable c=d --audit-days 3",
            ),
            ("prune --audit-days 3 -- --state-dir x", "prune --audit-days 3 -- --state-dir x"),
            ("migrate --help", "migrate --help"),
            ("migrate upgrade --help -q", "migrate -q upgrade --help"),
            ("up --listen x", "up --listen x"),
            ("backup --state-dir x file", "backup --state-dir x file"),
            ("unknown --state-dir x", "unknown --state-dir x"),
        ] {
            assert_eq!(sorted(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_misspelt_option_is_not_passed_on() {
        for (line, option) in [
            ("migrate --sate-dir x upgrade head", "--state-dir"),
            ("migrate upgrade head --statedir=x", "--state-dir"),
            ("seed --no-biuld", "--no-build"),
            ("prune --throttle --variables a=b", "--variable"),
        ] {
            assert!(sorted(line).is_err_and(|error| error.contains(&format!("did you mean {option}?"))), "{line}");
        }
        // The options of the components resemble none.
        for option in [
            "--sql",
            "--message",
            "--autogenerate",
            "--admin-email",
            "--admin-password-stdin",
            "--print-password",
            "--sessions-days",
            "--spent-days",
            "--audit-days",
            "--throttle",
            "--compact",
            "--dry-run",
        ] {
            assert_eq!(sorted(&format!("seed {option}")), Ok(format!("seed {option}")));
        }
        for line in ["migrate current --state-dir", "prune -f -- --throttle"] {
            assert!(sorted(line).is_err_and(|error| error.ends_with(" needs a value")), "{line}");
        }
        assert_eq!(sorted("seed -- --sate-dir"), Ok("seed -- --sate-dir".to_owned()));
    }
}
