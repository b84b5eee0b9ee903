//! The command line.

use lanterne_command::suggestion;
use lanterne_core::email::Email;

const OPTIONS: [&str; 3] = ["--admin-email", "--admin-password-stdin", "--print-password"];

/// Which accounts to create.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The two documented accounts.
    Documented,
    /// An administrator.
    Admin {
        /// The address.
        email: Email,
        /// Whether to read the password from standard input.
        password_from_stdin: bool,
        /// Whether to generate a password and print it, if none is given.
        prints_password: bool,
    },
    /// Show the usage text.
    Help,
}

/// Parses the words after the program's name.
pub(crate) fn parse(words: &[String]) -> Result<Command, String> {
    if words.iter().any(|word| matches!(word.as_str(), "help" | "--help" | "-h")) {
        return Ok(Command::Help);
    }
    let (mut email, mut password_from_stdin, mut prints_password) = (None, false, false);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (option, value) = word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        let address = match (option, value) {
            ("--admin-password-stdin", None) => {
                password_from_stdin = true;
                continue;
            }
            ("--print-password", None) => {
                prints_password = true;
                continue;
            }
            ("--admin-email", value) => value.or_else(|| words.next()).ok_or("--admin-email needs an address")?,
            _ => return Err(format!("{word:?} is not understood{}", suggestion(option, OPTIONS))),
        };
        let address = Email::parse(address).map_err(|reason| format!("--admin-email is {address:?}: {reason}"))?;
        if email.replace(address).is_some() {
            return Err("--admin-email was given twice".to_owned());
        }
    }
    match email {
        Some(email) => Ok(Command::Admin { email, password_from_stdin, prints_password }),
        None if password_from_stdin => Err("--admin-password-stdin needs --admin-email ADDRESS".to_owned()),
        None => Ok(Command::Documented),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, parse};

    fn parsed(line: &str) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn admin(email: &str, password_from_stdin: bool, prints_password: bool) -> Result<Command, String> {
        let email = lanterne_core::email::Email::parse(email).expect("an address");
        Ok(Command::Admin { email, password_from_stdin, prints_password })
    }

    #[test]
    fn no_arguments_mean_the_documented_accounts() {
        assert_eq!(parsed(""), Ok(Command::Documented));
        // There is nothing to generate.
        assert_eq!(parsed("--print-password"), Ok(Command::Documented));
        assert_eq!(parsed("--help"), Ok(Command::Help));
    }

    #[test]
    fn the_admin_address_is_normalized() {
        assert_eq!(parsed("--admin-email root@EXAMPLE.com"), admin("root@example.com", false, false));
        assert_eq!(
            parsed("--admin-password-stdin --admin-email=root@example.com"),
            admin("root@example.com", true, false)
        );
        assert_eq!(parsed("--admin-email=root@example.com --print-password"), admin("root@example.com", false, true));
    }

    #[test]
    fn other_arguments_are_reported_and_refused() {
        for (line, words) in [
            ("--admin-email", "--admin-email needs an address"),
            ("--admin-email root@", "\"root@\": There must be something after the @-sign."),
            ("--admin-email a@example.com --admin-email b@example.com", "given twice"),
            ("--admin-emails a@example.com", "\"--admin-emails\""),
            ("--admin-password secret", "\"--admin-password\""),
            ("--admin-password-stdin", "needs --admin-email ADDRESS"),
            ("now", "\"now\""),
            ("--print-password=no", "\"--print-password=no\""),
            ("--admin-emial a@example.com", "\"--admin-emial\" is not understood; did you mean --admin-email?"),
        ] {
            assert!(parsed(line).is_err_and(|message| message.contains(words)), "{line}: {:?}", parsed(line));
        }
    }
}
