//! The command line.

use lanterne_command::suggestion;

const OPTIONS: [&str; 7] =
    ["--sessions-days", "--spent-days", "--audit-days", "--mail-days", "--throttle", "--compact", "--dry-run"];

/// The greatest number of days: a hundred years.
const DAYS_MAX: u32 = 36_500;

/// What to delete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Delete sessions that expired more than this many days ago.
    pub sessions_days: Option<u32>,
    /// Delete the rows of refresh tokens that were used more than this many days ago.
    pub spent_days: Option<u32>,
    /// Delete audit rows older than this many days.
    pub audit_days: Option<u32>,
    /// Delete messages that were written more than this many days ago, and one-time tokens that have expired by then.
    pub mail_days: Option<u32>,
    /// Delete expired throttle counters.
    pub throttle: bool,
    /// Give the free space of the file back.
    pub compact: bool,
    /// Only count.
    pub dry_run: bool,
}

/// Parses the words after the program's name; `Ok(None)` asks for help.
pub(crate) fn parse(words: &[String]) -> Result<Option<Arguments>, String> {
    if words.iter().any(|word| matches!(word.as_str(), "help" | "--help" | "-h")) {
        return Ok(None);
    }
    let mut arguments = Arguments::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (flag, value) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
        let slot = match flag {
            "--dry-run" | "--throttle" | "--compact" if value.is_none() => {
                match flag {
                    "--dry-run" => arguments.dry_run = true,
                    "--throttle" => arguments.throttle = true,
                    _ => arguments.compact = true,
                }
                continue;
            }
            "--sessions-days" => &mut arguments.sessions_days,
            "--spent-days" => &mut arguments.spent_days,
            "--audit-days" => &mut arguments.audit_days,
            "--mail-days" => &mut arguments.mail_days,
            _ => return Err(format!("{word:?} is not understood{}", suggestion(flag, OPTIONS))),
        };
        let value = value.or_else(|| words.next()).ok_or_else(|| format!("{flag} needs a number of days"))?;
        if slot.replace(days(flag, value)?).is_some() {
            return Err(format!("{flag} was given twice"));
        }
    }
    let nothing = Arguments { dry_run: arguments.dry_run, ..Arguments::default() };
    if arguments == nothing {
        return Err(
            "nothing to delete: give --sessions-days N, --spent-days N, --audit-days N, --mail-days N, --throttle or --compact"
                .to_owned(),
        );
    }
    Ok(Some(arguments))
}

fn days(flag: &str, value: &str) -> Result<u32, String> {
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    number
        .filter(|days| (1..=DAYS_MAX).contains(days))
        .ok_or_else(|| format!("{flag} is {value:?}; allowed: a whole number of days, 1 to {DAYS_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::{Arguments, parse};

    fn parsed(line: &str) -> Result<Option<Arguments>, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn each_table_has_its_own_number_of_days() {
        let none = Arguments::default;
        for (line, arguments) in [
            ("--sessions-days 30", Arguments { sessions_days: Some(30), ..none() }),
            ("--spent-days 7", Arguments { spent_days: Some(7), ..none() }),
            ("--mail-days 7", Arguments { mail_days: Some(7), ..none() }),
            ("--audit-days=365 --dry-run", Arguments { audit_days: Some(365), dry_run: true, ..none() }),
            ("--throttle", Arguments { throttle: true, ..none() }),
            ("--compact", Arguments { compact: true, ..none() }),
            (
                "--dry-run --sessions-days 1 --throttle --audit-days 36500",
                Arguments { sessions_days: Some(1), audit_days: Some(36_500), throttle: true, dry_run: true, ..none() },
            ),
        ] {
            assert_eq!(parsed(line), Ok(Some(arguments)), "{line}");
        }
        assert_eq!(parsed("--sessions-days 30 --help"), Ok(None));
    }

    #[test]
    fn other_arguments_are_reported_and_refused() {
        for (line, words) in [
            ("", "nothing to delete"),
            ("--dry-run", "nothing to delete"),
            ("--sessions-days", "--sessions-days needs a number"),
            ("--sessions-days 0", "--sessions-days is \"0\"; allowed"),
            ("--sessions-days -1", "\"-1\""),
            ("--audit-days +1", "\"+1\""),
            ("--audit-days ten", "\"ten\""),
            ("--audit-days=", "\"\""),
            ("--audit-days 36501", "1 to 36500"),
            ("--audit-days 1 --audit-days 2", "--audit-days was given twice"),
            ("--dry-run=no --audit-days 1", "\"--dry-run=no\""),
            ("--throttle 30", "\"30\""),
            ("--compact=now", "\"--compact=now\""),
            ("30", "\"30\""),
            ("--all", "\"--all\""),
            ("--sesion-days 30", "\"--sesion-days\" is not understood; did you mean --sessions-days?"),
        ] {
            assert!(parsed(line).is_err_and(|message| message.contains(words)), "{line}: {:?}", parsed(line));
        }
    }
}
