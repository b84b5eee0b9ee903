//! `seed`: creates the two documented accounts, once.
//!
//! Their passwords are in the documentation: they are for development. An account that exists is left as it is, so that
//! seeding again never brings a documented password back.

mod accounts;

use std::process::ExitCode;

use accounts::{ACCOUNTS, Account};
use lanterne_command::{Database, Failure, run, say, variable};
use lanterne_core::db::{self, Connection, transaction};
use lanterne_core::params;
use lanterne_core::password::{self, Cost};
use lanterne_core::timestamp::Timestamp;
use lanterne_core::users::{self, NewUser};

const USAGE: &str = "\
Creates the two documented accounts, if they are not there, with passwords FOR DEVELOPMENT:

  admin@lanterne-rouge.com   admin_password_123   administrator
  tester@lanterne-rouge.com  tester_password_123

Usage: seed

Run it with:
  cargo lanterne seed
  spin up -f spin.commands.toml -c seed

The variable bcrypt_cost, 10 to 15 and 12 if it is not set, is the work factor of the password hashes.";

const NOT_MIGRATED: &str = "the database has no table users: run `cargo lanterne migrate upgrade head` first \
                            (on Spin: `spin up -f spin.commands.toml -c migrate -- upgrade head`)";

fn main() -> ExitCode {
    run("seed", async |words| {
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => {}
            ["help" | "--help" | "-h"] => {
                say(USAGE);
                return Ok(());
            }
            [word, ..] => {
                return Err(Failure::Usage(format!("{word:?} is one word too many; `seed help` says what it does")));
            }
        }
        let cost = cost()?;
        let db = Database::open()?;
        db::prepare(&db).await?;
        if !is_migrated(&db).await? {
            return Err(Failure::Failed(NOT_MIGRATED.to_owned()));
        }
        seed(&db, cost).await
    })
}

fn cost() -> Result<Cost, Failure> {
    let value = variable("bcrypt_cost")?.filter(|value| !value.trim().is_empty());
    let Some(value) = value else { return Ok(Cost::default()) };
    value.trim().parse().ok().and_then(Cost::new).ok_or_else(|| {
        let (min, max) = (Cost::MIN, Cost::MAX);
        Failure::Failed(format!("bcrypt_cost is {value:?}; allowed: a whole number, {min} to {max}"))
    })
}

async fn is_migrated(db: &impl Connection) -> Result<bool, db::Error> {
    let rows = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", params!["users"]).await?;
    Ok(!rows.is_empty())
}

/// Creates the accounts that are missing, all of them or none, and says what it did for each.
async fn seed(db: &impl Connection, cost: Cost) -> Result<(), Failure> {
    // Hashing takes its time: done first, so that no server waits for the write lock meanwhile.
    let mut hashed = Vec::with_capacity(ACCOUNTS.len());
    for account in ACCOUNTS {
        hashed.push((account, missing_hash(db, account, cost).await?));
    }
    let now = Timestamp::now();
    let outcomes = transaction(db, async {
        let mut outcomes = Vec::with_capacity(ACCOUNTS.len());
        for (account, hash) in hashed {
            let created = match hash {
                Some(hashed_password) => {
                    let Account { email, is_admin, .. } = *account;
                    let user = NewUser { email, hashed_password: &hashed_password, is_admin };
                    users::insert(db, user, now).await?.is_some()
                }
                None => false,
            };
            outcomes.push((account.email, created));
        }
        Ok::<_, db::Error>(outcomes)
    })
    .await?;
    for (email, created) in outcomes {
        say(format!("{email}: {}", if created { "created" } else { "already there" }));
    }
    Ok(())
}

/// The hash for an account that has to be created; `None` if it is there.
async fn missing_hash(db: &impl Connection, account: &Account, cost: Cost) -> Result<Option<String>, Failure> {
    if users::find_by_email(db, account.email).await?.is_some() {
        return Ok(None);
    }
    let hash = password::hash(account.password, cost).await;
    hash.map(Some).map_err(|error| Failure::Failed(format!("no randomness for a salt: {error}")))
}
