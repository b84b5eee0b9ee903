//! What a user can ask for, in Alembic's words.

use crate::migrations::Migration;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Apply migrations up to the target.
    Upgrade(Target),
    /// Take migrations back down to the target.
    Downgrade(Target),
    /// Show where the database is.
    Current,
    /// List the migrations.
    History,
    /// Show the usage text.
    Help,
}

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// So many migrations from where the database is.
    Steps(usize),
    /// To where so many migrations are applied: 0 is `base`.
    Position(usize),
}

/// Reads the words after the program's name; `Err` says which of them is not understood.
pub(crate) fn parse(words: &[String], migrations: &[Migration]) -> Result<Command, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.iter().any(|word| matches!(*word, "help" | "--help" | "-h")) {
        return Ok(Command::Help);
    }
    match words[..] {
        [] => Err("it was not said what to do".to_owned()),
        ["current"] => Ok(Command::Current),
        ["history"] => Ok(Command::History),
        ["upgrade", "head"] => Ok(Command::Upgrade(Target::Position(migrations.len()))),
        ["upgrade", target] => parse_target(target, '+', migrations).map(Command::Upgrade),
        ["downgrade", "base"] => Ok(Command::Downgrade(Target::Position(0))),
        ["downgrade", target] => parse_target(target, '-', migrations).map(Command::Downgrade),
        ["upgrade"] => Err("upgrade needs a target: head, +N or a revision".to_owned()),
        ["downgrade"] => Err("downgrade needs a target: base, -N or a revision".to_owned()),
        ["upgrade" | "downgrade", _, extra, ..] | ["current" | "history", extra, ..] => {
            Err(format!("{extra:?} is one word too many"))
        }
        [word, ..] => Err(format!("{word:?} is no command")),
    }
}

fn parse_target(word: &str, sign: char, migrations: &[Migration]) -> Result<Target, String> {
    if let Some(count) = word.strip_prefix(sign) {
        return match digits(count) {
            Some(count) if count > 0 => Ok(Target::Steps(count)),
            _ => Err(format!("{word:?} should be {sign} and a number from 1")),
        };
    }
    let found = migrations.iter().find(|m| digits(word) == Some(m.revision) || word == m.folder());
    found.map(|migration| Target::Position(migration.revision)).ok_or_else(|| format!("{word:?} is no revision"))
}

/// A number in plain digits; `usize::from_str` would take a sign too.
fn digits(word: &str) -> Option<usize> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Command, Target, parse};
    use crate::migrations::Migration;

    const TWO: &[Migration] = &[
        Migration { revision: 1, name: "first", up: "", down: "" },
        Migration { revision: 2, name: "second", up: "", down: "" },
    ];

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), TWO)
    }

    #[test]
    fn commands_are_alembics() {
        for (line, command) in [
            ("upgrade head", Command::Upgrade(Target::Position(2))),
            ("upgrade +1", Command::Upgrade(Target::Steps(1))),
            ("upgrade 1", Command::Upgrade(Target::Position(1))),
            ("upgrade 0002", Command::Upgrade(Target::Position(2))),
            ("upgrade 0001_first", Command::Upgrade(Target::Position(1))),
            ("downgrade -2", Command::Downgrade(Target::Steps(2))),
            ("downgrade base", Command::Downgrade(Target::Position(0))),
            ("downgrade 0001", Command::Downgrade(Target::Position(1))),
            ("current", Command::Current),
            ("history", Command::History),
            ("help", Command::Help),
            ("--help", Command::Help),
            ("upgrade --help", Command::Help),
        ] {
            assert_eq!(parsed(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn everything_else_is_named_and_refused() {
        for (line, word) in [
            ("", "not said"),
            ("up", "\"up\""),
            ("--verbose", "\"--verbose\""),
            ("upgrade", "head, +N"),
            ("downgrade", "base, -N"),
            ("upgrade base", "\"base\""),
            ("downgrade head", "\"head\""),
            ("upgrade +0", "\"+0\""),
            ("upgrade ++1", "\"++1\""),
            ("upgrade -1", "\"-1\""),
            ("downgrade +1", "\"+1\""),
            ("downgrade -x", "\"-x\""),
            ("upgrade 3", "\"3\""),
            ("upgrade second", "\"second\""),
            ("upgrade +99999999999999999999", "from 1"),
            ("upgrade head now", "\"now\""),
            ("current 1", "\"1\""),
        ] {
            assert!(parsed(line).is_err_and(|message| message.contains(word)), "{line}: {:?}", parsed(line));
        }
    }
}
