//! `users`: lists, changes and deletes accounts, as an administrator does over the API.

mod actions;
mod arguments;

use std::process::ExitCode;

use arguments::{Command, Task};
use lanterne_command::{Failure, lookup, open_migrated, run, say};
use lanterne_core::config::MailConfig;
use lanterne_core::email::{Email, EmailPart};
use lanterne_core::error::Error;
use lanterne_core::sessions;
use lanterne_core::users::{self, Changes, Filter, User};
use lanterne_database::{Connection, Timestamp};

const USAGE: &str = "\
Lists, changes and deletes accounts. Each change has a row in the audit log. The
last active administrator can be neither deleted nor deactivated nor demoted.

Usage: users list [TEXT]
       users COMMAND ADDRESS

Commands:
  list [TEXT]     list the accounts, or those whose address contains TEXT: id,
                  address, state and time of creation, separated by tabs
  show            print an account and the number of its sessions
  promote         make it an administrator
  demote          make it no administrator
  activate        let it log in
  deactivate      stop it from logging in, and end its sessions
                  and tokens
  reset-password  print a token to set a new password, which works once: as a
                  link, if password_reset_url is set. The former one ends
  delete          delete it with its sessions; its audit rows stay
  help            show this text

Variables:
  password_reset_url             the page that gets the token as ?token=...
  password_reset_expire_minutes  the lifetime of the token, 1 to 1440 [30]

Exit status: 0 on success, 1 on failure, 2 on a usage error (1 on Spin).

Run it with:
  cargo lanterne users reset-password you@example.com
  spin up -f spin.commands.toml -c users -- reset-password you@example.com";

/// The number of accounts that are read at a time.
const PAGE: i64 = 500;

fn main() -> ExitCode {
    run("users", async |words| {
        match arguments::parse(&words).map_err(|fault| Failure::Usage(format!("{fault}; see `users help`")))? {
            Command::Help => {
                say(USAGE);
                Ok(())
            }
            Command::List(text) => list(&open_migrated().await?, text).await,
            Command::One(task, email) => change(task, &email).await,
        }
    })
}

async fn list(db: &dyn Connection, text: Option<String>) -> Result<(), Failure> {
    let filter = Filter { email_part: text.as_deref().map(EmailPart::parse), ..Filter::default() };
    let mut offset = 0;
    loop {
        let page = users::list(db, &filter, PAGE, offset).await?;
        for user in &page {
            say(format!("{}\t{}\t{}\t{}", user.id, user.email, state(user), user.created_at.to_rfc3339()));
        }
        match i64::try_from(page.len()) {
            Ok(PAGE) => offset += PAGE,
            _ => return Ok(()),
        }
    }
}

async fn change(task: Task, email: &Email) -> Result<(), Failure> {
    // Before the database is opened: an invalid variable must not create its file.
    let config = MailConfig::from_lookup(lookup(&MailConfig::VARIABLES)?);
    let config = config.map_err(|errors| Failure::Usage(errors.to_string()))?;
    let db = open_migrated().await?;
    let now = Timestamp::now();
    let failed = |error: Error| match error {
        Error::Internal(cause) => Failure::Failed(format!("{cause:#}")),
        error => Failure::Failed(format!("{email}: {error}")),
    };
    let (changes, done) = match task {
        Task::Show => {
            let user = actions::find(&db, email).await.map_err(failed)?;
            let sessions = sessions::list(&db, user.id, now).await?.len();
            say(format!("id        {}\naddress   {}\nstate     {}", user.id, user.email, state(&user)));
            say(format!("created   {}\nsessions  {sessions}", user.created_at.to_rfc3339()));
            return Ok(());
        }
        Task::ResetPassword => {
            let issued = actions::issue_password_reset(&db, &config, email, now).await.map_err(failed)?;
            let token = issued.url.unwrap_or_else(|| issued.token.expose().to_owned());
            say(format!("{email}: a new password can be set once until {} with", issued.expires_at.to_rfc3339()));
            say(token);
            return Ok(());
        }
        Task::Delete => {
            actions::delete(&db, email, now).await.map_err(failed)?;
            say(format!("{email}: deleted"));
            return Ok(());
        }
        Task::SetAdmin(is_admin) => {
            let done = if is_admin { "an administrator" } else { "no administrator" };
            (Changes { is_admin: Some(is_admin), ..Changes::default() }, done)
        }
        Task::SetActive(is_active) => {
            let done = if is_active { "active" } else { "inactive" };
            (Changes { is_active: Some(is_active), ..Changes::default() }, done)
        }
    };
    let is_changed = actions::update(&db, email, &changes, now).await.map_err(failed)?;
    say(format!("{email}: {} {done}", if is_changed { "now" } else { "already" }));
    Ok(())
}

/// Describes an account: `active, administrator`.
fn state(user: &User) -> String {
    let mut words = vec![if user.is_active { "active" } else { "inactive" }];
    if user.is_admin {
        words.push("administrator");
    }
    if !user.email_verified {
        words.push("not verified");
    }
    words.join(", ")
}
