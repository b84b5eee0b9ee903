//! The command line, in Alembic's words.

use lanterne_command::suggestion;

use crate::migrations::Migration;

const COMMANDS: [&str; 5] = ["upgrade", "downgrade", "current", "history", "stamp"];

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Apply or revert migrations.
    Migrate {
        /// Which of the two.
        direction: Direction,
        /// Where to stop.
        target: Target,
        /// Print the SQL instead of running it.
        prints_sql: bool,
    },
    /// Record that this many migrations are applied, and run none.
    Stamp(usize),
    /// Show where the database is.
    Current,
    /// List the migrations.
    History,
    /// Show the usage text.
    Help,
}

/// Whether migrations are applied or reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `upgrade`
    Up,
    /// `downgrade`
    Down,
}

/// Where to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// After this many migrations.
    Steps(usize),
    /// Where this many migrations are applied: 0 is `base`.
    Position(usize),
}

/// Parses the words after the program's name; `Err` says which of them is wrong.
pub(crate) fn parse(words: &[String], migrations: &[Migration]) -> Result<Command, String> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.iter().any(|word| matches!(*word, "help" | "--help" | "-h")) {
        return Ok(Command::Help);
    }
    let count = words.len();
    if let ["upgrade" | "downgrade", ..] = words[..] {
        words.retain(|word| *word != "--sql");
    }
    let prints_sql = words.len() < count;
    let migrate = |direction, word| {
        let target = parse_target(direction, word, migrations)?;
        Ok(Command::Migrate { direction, target, prints_sql })
    };
    match words[..] {
        [] => Err("no command given, such as `upgrade head`".to_owned()),
        ["revision", ..] => {
            Err("a component cannot write files: run `cargo lanterne migrate revision` in the source tree".to_owned())
        }
        ["current"] => Ok(Command::Current),
        ["history"] => Ok(Command::History),
        ["upgrade", target] => migrate(Direction::Up, target),
        ["downgrade", target] => migrate(Direction::Down, target),
        ["stamp", "head"] => Ok(Command::Stamp(migrations.len())),
        ["stamp", "base"] => Ok(Command::Stamp(0)),
        ["stamp", word] => find(word, migrations).map(|migration| Command::Stamp(migration.revision)),
        ["upgrade"] => Err("upgrade needs a target: head, +N or a revision".to_owned()),
        ["downgrade"] => Err("downgrade needs a target: base, -N or a revision".to_owned()),
        ["stamp"] => Err("stamp needs a target: head, base or a revision".to_owned()),
        ["upgrade" | "downgrade" | "stamp", _, extra, ..] | ["current" | "history", extra, ..] => {
            Err(format!("unexpected argument {extra:?}"))
        }
        [word, ..] => Err(format!("unknown command {word:?}{}", suggestion(word, COMMANDS))),
    }
}

fn parse_target(direction: Direction, word: &str, migrations: &[Migration]) -> Result<Target, String> {
    let (end, position, sign) = match direction {
        Direction::Up => ("head", migrations.len(), '+'),
        Direction::Down => ("base", 0, '-'),
    };
    if word == end {
        return Ok(Target::Position(position));
    }
    match word.strip_prefix(sign).map(digits) {
        Some(Some(count)) if count > 0 => Ok(Target::Steps(count)),
        Some(_) => Err(format!("{word:?} should be {sign} and a number from 1")),
        None => find(word, migrations).map(|migration| Target::Position(migration.revision)),
    }
}

/// Finds a migration by its number, its name, or a part of its name that no other has.
fn find<'a>(word: &str, migrations: &'a [Migration]) -> Result<&'a Migration, String> {
    let unknown = || {
        let names = migrations.iter().map(|migration| migration.name).chain(["head", "base"]);
        format!("unknown revision {word:?}, not in `history`{}", suggestion(word, names))
    };
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    // `upgrade base` is a mistake, even if the name of a migration contains "baseline".
    if is_number || matches!(word, "head" | "base") {
        let number = digits(word);
        return migrations.iter().find(|migration| number == Some(migration.revision)).ok_or_else(unknown);
    }
    if let Some(exact) = migrations.iter().find(|migration| word == migration.name || word == migration.folder()) {
        return Ok(exact);
    }
    let found: Vec<&Migration> = migrations.iter().filter(|migration| migration.folder().contains(word)).collect();
    match found[..] {
        [] => Err(unknown()),
        [one] => Ok(one),
        _ => {
            let folders: Vec<String> = found.iter().map(|migration| migration.folder()).collect();
            Err(format!("{word:?} is ambiguous: {}", folders.join(", ")))
        }
    }
}

/// Parses plain digits; `usize::from_str` accepts a sign as well.
fn digits(word: &str) -> Option<usize> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Command, Direction, Target, parse};
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
    fn commands_are_those_of_alembic() {
        let up = |target, prints_sql| Command::Migrate { direction: Direction::Up, target, prints_sql };
        let down = |target, prints_sql| Command::Migrate { direction: Direction::Down, target, prints_sql };
        for (line, command) in [
            ("upgrade head", up(Target::Position(3), false)),
            ("upgrade +1", up(Target::Steps(1), false)),
            ("upgrade 1", up(Target::Position(1), false)),
            ("upgrade 0002", up(Target::Position(2), false)),
            ("upgrade head --sql", up(Target::Position(3), true)),
            ("upgrade --sql +2", up(Target::Steps(2), true)),
            ("downgrade -2", down(Target::Steps(2), false)),
            ("downgrade base", down(Target::Position(0), false)),
            ("downgrade 0001", down(Target::Position(1), false)),
            ("downgrade -1 --sql", down(Target::Steps(1), true)),
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
    fn a_unique_part_of_a_name_selects_a_migration() {
        for (word, revision) in
            [("0001_first", 1), ("first", 1), ("add_baseline", 2), ("seline", 2), ("addition", 3), ("0003_f", 3)]
        {
            assert_eq!(parsed(&format!("stamp {word}")), Ok(Command::Stamp(revision)), "{word}");
        }
        assert_eq!(parsed("stamp irst"), Err("\"irst\" is ambiguous: 0001_first, 0003_first_addition".to_owned()));
        assert_eq!(
            parsed("upgrade add"),
            Err("\"add\" is ambiguous: 0002_add_baseline, 0003_first_addition".to_owned())
        );
    }

    #[test]
    fn other_words_are_reported_and_refused() {
        for (line, word) in [
            ("", "no command"),
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
            ("upgrad head", "\"upgrad\"; did you mean upgrade?"),
            ("upgrade haed", "\"haed\", not in `history`; did you mean head?"),
            ("stamp frist", "did you mean first?"),
            ("revision -m words", "cargo lanterne migrate revision"),
        ] {
            assert!(parsed(line).is_err_and(|message| message.contains(word)), "{line}: {:?}", parsed(line));
        }
    }
}
