//! The command line.

use lanterne_core::email::Email;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// List the accounts whose address contains this text.
    List(Option<String>),
    /// Do this with one account.
    One(Task, Email),
    /// Show the usage text.
    Help,
}

/// What to do with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Print it.
    Show,
    /// Make it an administrator, or not.
    SetAdmin(bool),
    /// Let it log in, or not.
    SetActive(bool),
    /// Print a token to set a new password.
    ResetPassword,
    /// Delete it.
    Delete,
}

const TASKS: [(&str, Task); 7] = [
    ("show", Task::Show),
    ("promote", Task::SetAdmin(true)),
    ("demote", Task::SetAdmin(false)),
    ("activate", Task::SetActive(true)),
    ("deactivate", Task::SetActive(false)),
    ("reset-password", Task::ResetPassword),
    ("delete", Task::Delete),
];

/// Parses the words after the program's name.
pub(crate) fn parse(words: &[String]) -> Result<Command, String> {
    if words.iter().any(|word| matches!(word.as_str(), "help" | "--help" | "-h")) {
        return Ok(Command::Help);
    }
    let Some((command, rest)) = words.split_first() else { return Err("there is no command".to_owned()) };
    let task = TASKS.iter().find(|(name, _)| name == command).map(|(_, task)| *task);
    match (task, rest) {
        (None, []) if command == "list" => Ok(Command::List(None)),
        (None, [text]) if command == "list" => Ok(Command::List(Some(text.clone()))),
        (None, _) if command != "list" => Err(format!("{command:?} is not understood")),
        (Some(task), [address]) => {
            let email = Email::parse(address).map_err(|reason| format!("the address is {address:?}: {reason}"))?;
            Ok(Command::One(task, email))
        }
        (Some(_), []) => Err(format!("{command} needs the address of an account")),
        (_, rest) => Err(format!("{:?} is too much", rest.last().map_or("", String::as_str))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Task, parse};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_command_but_list_has_an_address() {
        assert_eq!(parsed("list"), Ok(Command::List(None)));
        assert_eq!(parsed("list example.com"), Ok(Command::List(Some("example.com".to_owned()))));
        let email = lanterne_core::email::Email::parse("you@example.com").unwrap();
        for (line, task) in [
            ("show you@EXAMPLE.com", Task::Show),
            ("demote you@example.com", Task::SetAdmin(false)),
            ("activate you@example.com", Task::SetActive(true)),
            ("reset-password you@example.com", Task::ResetPassword),
            ("delete you@example.com", Task::Delete),
        ] {
            assert_eq!(parsed(line), Ok(Command::One(task, email.clone())), "{line}");
        }
        assert_eq!(parsed("delete --help"), Ok(Command::Help));
    }

    #[test]
    fn other_arguments_are_reported_and_refused() {
        for (line, words) in [
            ("", "there is no command"),
            ("remove you@example.com", "\"remove\" is not understood"),
            ("list a b", "\"b\" is too much"),
            ("delete", "delete needs the address of an account"),
            ("delete you@", "\"you@\": There must be something after the @-sign."),
            ("delete a@example.com b@example.com", "\"b@example.com\" is too much"),
        ] {
            assert!(parsed(line).is_err_and(|message| message.contains(words)), "{line}: {:?}", parsed(line));
        }
    }
}
