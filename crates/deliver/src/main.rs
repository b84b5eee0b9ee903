//! `deliver`: delivers the messages that are due. The API does so after each reply; this attempts again what failed.

#[cfg(target_family = "wasm")]
mod outgoing;
#[cfg(not(target_family = "wasm"))]
#[path = "no_host.rs"]
mod outgoing;

use std::future::ready;
use std::io::Write as _;
use std::process::ExitCode;

use lanterne_command::{Failure, lookup, open_migrated, run, say};
use lanterne_core::config::MailConfig;
use lanterne_core::mail::{self, Courier, Post};
use lanterne_database::{BoxFuture, Timestamp};

const USAGE: &str = "\
Delivers the messages that are due. `lanterne up` runs this every second. On Spin
the server delivers after each reply, and this attempts again what failed.

A failed attempt is repeated after 30 seconds, then after twice as long each time,
up to 6 hours. As long as messages wait, one of them is due within 30 seconds; the
first that succeeds makes the others due. After a day, or when its token has
expired, a message is given up. Two deliverers never send a message at the same
moment.

Usage: deliver

Prints nothing if no message is due. Stops after 10 failed attempts; the other
messages stay due.

Variables, with the values of the server: mail, mail_webhook_url,
mail_webhook_path, mail_webhook_secret, password_reset_url,
password_reset_expire_minutes, email_verification_url,
email_verification_expire_hours

Exit status: 0 on success, also if an attempt failed; 1 on failure; 2 on a usage
error (1 on Spin).

Run it with:
  cargo lanterne deliver
  spin up -f spin.commands.toml -c deliver";

/// The number of failed attempts after which the receiver is considered down.
const FAILURES_MAX: usize = 10;

fn main() -> ExitCode {
    run("deliver", async |words| match words.first().map(String::as_str) {
        None => deliver().await,
        Some("help" | "--help" | "-h") => {
            say(USAGE);
            Ok(())
        }
        Some(word) => Err(Failure::Usage(format!("{word:?} is not understood; see `deliver help`"))),
    })
}

async fn deliver() -> Result<(), Failure> {
    let config = MailConfig::from_lookup(lookup(&MailConfig::VARIABLES)?);
    let config = config.map_err(|errors| Failure::Usage(errors.to_string()))?;
    if !config.is_on() {
        say("Mail is off: no messages are delivered");
        return Ok(());
    }
    let db = open_migrated().await?;
    let run = mail::deliver(&db, &config, &Host, usize::MAX, FAILURES_MAX).await;
    let run = run.map_err(|error| Failure::Failed(mail::cause(&error)))?;
    if run.delivered > 0 || run.failed > 0 {
        say(format!("Delivered {} messages; {} attempts failed", run.delivered, run.failed));
    }
    Ok(())
}

/// The host of the command, whose futures are ready at once.
struct Host;

impl Courier for Host {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn send<'a>(&'a self, post: &'a Post) -> BoxFuture<'a, Result<u16, String>> {
        Box::pin(ready(outgoing::post(post)))
    }

    fn log(&self, line: &str) {
        // A closed stderr cannot report an error.
        let _ = writeln!(std::io::stderr().lock(), "deliver: {line}");
    }

    fn print(&self, message: &str) {
        say(message);
    }
}
