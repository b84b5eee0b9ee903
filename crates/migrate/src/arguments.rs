//! What a user can ask for, in Alembic's words.

use crate::migrations::Migration;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Apply migrations up to the target.
    Upgrade(Target, Mode),
    /// Take migrations back down to the target.
    Downgrade(Target, Mode),
    /// Say that so many migrations are applied, and run none.
    Stamp(usize),
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

/// How to go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By running the statements.
    Run,
    /// By printing them, for somebody else to run.
    Print,
}

/// Reads the words after the program's name; `Err` says which of them is not understood.
pub(crate) fn parse(words: &[String], migrations: &[Migration]) -> Result<Command, String> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.iter().any(|word| matches!(*word, "help" | "--help" | "-h")) {
        return Ok(Command::Help);
    }
    let mut mode = Mode::Run;
    if let ["upgrade" | "downgrade", ..] = words[..] {
        let all = words.len();
        words.retain(|word| *word != "--sql");
        if words.len() < all {
            mode = Mode::Print;
        }
    }
    let position = |word| find(word, migrations).map(|migration| migration.revision);
    match words[..] {
        [] => Err("it was not said what to do".to_owned()),
        ["current"] => Ok(Command::Current),
        ["history"] => Ok(Command::History),
        ["upgrade", "head"] => Ok(Command::Upgrade(Target::Position(migrations.len()), mode)),
        ["upgrade", target] => parse_target(target, '+', migrations).map(|target| Command::Upgrade(target, mode)),
        ["downgrade", "base"] => Ok(Command::Downgrade(Target::Position(0), mode)),
        ["downgrade", target] => parse_target(target, '-', migrations).map(|target| Command::Downgrade(target, mode)),
        ["stamp", "head"] => Ok(Command::Stamp(migrations.len())),
        ["stamp", "base"] => Ok(Command::Stamp(0)),
        ["stamp", revision] => position(revision).map(Command::Stamp),
        ["upgrade"] => Err("upgrade needs a target: head, +N or a revision".to_owned()),
        ["downgrade"] => Err("downgrade needs a target: base, -N or a revision".to_owned()),
        ["stamp"] => Err("stamp needs a target: head, base or a revision".to_owned()),
        ["upgrade" | "downgrade" | "stamp", _, extra, ..] | ["current" | "history", extra, ..] => {
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
    find(word, migrations).map(|migration| Target::Position(migration.revision))
}

/// The one migration that `word` means: its number, its name, or a part of its name that no other has.
fn find<'a>(word: &str, migrations: &'a [Migration]) -> Result<&'a Migration, String> {
    let unknown = || format!("{word:?} is no revision");
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    // `upgrade base` is a mistake, even if some migration is about baselines.
    if matches!(word, "" | "head" | "base") || is_number {
        let number = digits(word);
        return migrations.iter().find(|m| number == Some(m.revision)).ok_or_else(unknown);
    }
    if let Some(exact) = migrations.iter().find(|m| word == m.name || word == m.folder()) {
        return Ok(exact);
    }
    let found: Vec<&Migration> = migrations.iter().filter(|m| m.folder().contains(word)).collect();
    match found[..] {
        [] => Err(unknown()),
        [one] => Ok(one),
        _ => {
            let folders: Vec<String> = found.iter().map(|migration| migration.folder()).collect();
            Err(format!("{word:?} could be {}", folders.join(" or ")))
        }
    }
}

/// A number in plain digits; `usize::from_str` would take a sign too.
fn digits(word: &str) -> Option<usize> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Command, Mode, Target, parse};
    use crate::migrations::Migration;

    const THREE: &[Migration] = &[
        Migration { revision: 1, name: "first", up: "", down: "" },
        Migration { revision: 2, name: "add_baseline", up: "", down: "" },
        Migration { revision: 3, name: "first_addition", up: "", down: "" },
    ];

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), THREE)
    }

    #[test]
    fn commands_are_alembics() {
        use Command::{Downgrade, Upgrade};
        for (line, command) in [
            ("upgrade head", Upgrade(Target::Position(3), Mode::Run)),
            ("upgrade +1", Upgrade(Target::Steps(1), Mode::Run)),
            ("upgrade 1", Upgrade(Target::Position(1), Mode::Run)),
            ("upgrade 0002", Upgrade(Target::Position(2), Mode::Run)),
            ("upgrade head --sql", Upgrade(Target::Position(3), Mode::Print)),
            ("upgrade --sql +2", Upgrade(Target::Steps(2), Mode::Print)),
            ("downgrade -2", Downgrade(Target::Steps(2), Mode::Run)),
            ("downgrade base", Downgrade(Target::Position(0), Mode::Run)),
            ("downgrade 0001", Downgrade(Target::Position(1), Mode::Run)),
            ("downgrade -1 --sql", Downgrade(Target::Steps(1), Mode::Print)),
            ("stamp head", Command::Stamp(3)),
            ("stamp base", Command::Stamp(0)),
            ("stamp baseline", Command::Stamp(2)),
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
    fn a_part_of_a_name_is_enough_if_no_other_has_it() {
        for (word, revision) in
            [("0001_first", 1), ("first", 1), ("add_baseline", 2), ("seline", 2), ("addition", 3), ("0003_f", 3)]
        {
            assert_eq!(parsed(&format!("stamp {word}")), Ok(Command::Stamp(revision)), "{word}");
        }
        assert_eq!(parsed("stamp irst"), Err("\"irst\" could be 0001_first or 0003_first_addition".to_owned()));
        assert_eq!(parsed("upgrade add"), Err("\"add\" could be 0002_add_baseline or 0003_first_addition".to_owned()));
    }

    #[test]
    fn everything_else_is_named_and_refused() {
        for (line, word) in [
            ("", "not said"),
            ("up", "\"up\""),
            ("--verbose", "\"--verbose\""),
            ("--sql", "\"--sql\""),
            ("upgrade", "head, +N"),
            ("upgrade --sql", "head, +N"),
            ("downgrade", "base, -N"),
            ("stamp", "head, base"),
            ("upgrade base", "\"base\""),
            ("downgrade head", "\"head\""),
            ("upgrade +0", "\"+0\""),
            ("upgrade ++1", "\"++1\""),
            ("upgrade -1", "\"-1\""),
            ("downgrade +1", "\"+1\""),
            ("downgrade -x", "\"-x\""),
            ("stamp +1", "\"+1\""),
            ("upgrade 4", "\"4\""),
            ("upgrade 0", "\"0\""),
            ("upgrade second", "\"second\""),
            ("upgrade +99999999999999999999", "from 1"),
            ("upgrade head now", "\"now\""),
            ("stamp head --sql", "\"--sql\""),
            ("current --sql", "\"--sql\""),
        ] {
            assert!(parsed(line).is_err_and(|message| message.contains(word)), "{line}: {:?}", parsed(line));
        }
    }
}
