//! `seed`: creates the two documented accounts for development, or an administrator.
//!
//! Existing accounts are left unchanged, so that seeding again never restores a documented password.

mod accounts;
mod arguments;
mod secret;

use std::process::ExitCode;

use accounts::{Account, DOCUMENTED, Outcome};
use arguments::Command;
use lanterne_command::{Failure, open_migrated, run, say, variable, warn};
use lanterne_core::environment::{self, Environment, UnknownEnvironment};
use lanterne_core::password::Cost;
use lanterne_core::secret::NewPassword;
use secret::Password;

fn usage() -> String {
    let (password_min, password_max) = (NewPassword::CHARS_MIN, NewPassword::CHARS_MAX);
    let (cost_min, cost_max, cost) = (Cost::MIN, Cost::MAX, Cost::default());
    format!(
        "\
Creates the two documented accounts, with passwords FOR DEVELOPMENT:

  admin@lanterne-rouge.com   admin_password_123   administrator
  tester@lanterne-rouge.com  tester_password_123

or an administrator instead. Existing accounts are left unchanged.

Usage: seed [--admin-email ADDRESS [--admin-password-stdin | --print-password]]

Options:
  --admin-email ADDRESS   create only this administrator
  --admin-password-stdin  read the password from standard input, one line of
                          {password_min} to {password_max} characters
  --print-password        generate a password if none is given, and print it once;
                          `lanterne` always does. Spin keeps what is printed in
                          .spin/logs, where other users may read it
  help                    show this text

Variables:
  seed_admin_password  the password of the administrator
  lanterne_env         production or prod: the documented accounts are refused
                       [development or dev]
  bcrypt_cost          the work factor of the password hashes, {cost_min} to {cost_max} [{cost}]

Exit status: 0 on success, 1 on failure, 2 on a usage error (1 on Spin).

Run it with:
  cargo lanterne seed
  cargo lanterne seed --admin-email you@example.com
  spin up -f spin.commands.toml -c seed --variable seed_admin_password=@FILE \
    -- --admin-email you@example.com"
    )
}

fn main() -> ExitCode {
    run("seed", async |words| {
        let command = arguments::parse(&words)
            .map_err(|fault| Failure::Usage(format!("{fault} (the argument `help` shows the usage)")))?;
        match command {
            Command::Help => {
                say(usage());
                Ok(())
            }
            Command::Documented => seed_documented().await,
            Command::Admin { email, password_from_stdin, prints_password } => {
                environment()?;
                // Before the database is opened: a refused password must not create its file.
                let password = password(password_from_stdin, prints_password)?;
                seed_admin(email.as_str(), &password).await
            }
        }
    })
}

async fn seed_documented() -> Result<(), Failure> {
    if environment()? == Environment::Production {
        return Err(Failure::Failed(
            "LANTERNE_ENV is \"production\", and the passwords of the documented accounts are public; \
             `seed --admin-email ADDRESS` creates a real administrator"
                .to_owned(),
        ));
    }
    let cost = cost()?;
    let db = open_migrated().await?;
    let outcomes = accounts::create(&db, DOCUMENTED, cost).await?;
    for (account, outcome) in DOCUMENTED.iter().zip(outcomes) {
        let outcome = match outcome {
            Outcome::Created => "created",
            Outcome::Found(_) => "already there",
        };
        say(format!("{}: {outcome}", account.email));
    }
    warn("The passwords of these accounts are public, for development only: anybody can log in with them");
    Ok(())
}

/// Reads the password from standard input or from its variable, or generates one.
fn password(from_stdin: bool, prints_password: bool) -> Result<Password, Failure> {
    let password = match from_stdin {
        true => secret::read(std::io::stdin().lock()),
        false => secret::choose(variable(secret::VARIABLE)?, prints_password, getrandom::fill),
    };
    password.map_err(Failure::Usage)
}

async fn seed_admin(email: &str, password: &Password) -> Result<(), Failure> {
    let cost = cost()?;
    let db = open_migrated().await?;
    let account = Account { email, password: &password.text, is_admin: true };
    match accounts::create(&db, &[account], cost).await?.pop() {
        Some(Outcome::Found(user)) if !user.is_admin || !user.is_active => {
            let state = if user.is_admin { "inactive" } else { "no administrator" };
            Err(Failure::Failed(format!("{email} is already there, but is {state}; it was not changed")))
        }
        Some(Outcome::Found(_)) => {
            say(format!("{email}: already there; its password was not changed"));
            Ok(())
        }
        Some(Outcome::Created) | None => {
            say(format!("{email}: created"));
            if password.is_generated {
                say(format!("Its password, shown this once: {}", password.text));
            }
            Ok(())
        }
    }
}

fn environment() -> Result<Environment, Failure> {
    let value = variable(environment::VARIABLE)?.unwrap_or_default();
    value.parse().map_err(|error: UnknownEnvironment| Failure::Usage(error.to_string()))
}

fn cost() -> Result<Cost, Failure> {
    let value = variable("bcrypt_cost")?.filter(|value| !value.trim().is_empty());
    let Some(value) = value else { return Ok(Cost::default()) };
    value.trim().parse().ok().and_then(Cost::new).ok_or_else(|| {
        let (min, max) = (Cost::MIN, Cost::MAX);
        Failure::Usage(format!("bcrypt_cost is {value:?}; allowed: a whole number, {min} to {max}"))
    })
}
