//! Creating accounts that do not exist yet.

use lanterne_command::Failure;
use lanterne_core::audit::{self, Action, Entry};
use lanterne_core::client::Client;
use lanterne_core::password::{self, Cost};
use lanterne_core::users::{self, NewUser, User};
use lanterne_database::Timestamp;
use lanterne_database::{self as db, Connection, transaction};

/// An account to create.
pub(crate) struct Account<'a> {
    /// Normalized.
    pub email: &'a str,
    /// In plain text.
    pub password: &'a str,
    /// Whether it is an administrator.
    pub is_admin: bool,
}

/// The accounts that the Python server's `scripts/seed_database.py` creates, with public passwords.
pub(crate) const DOCUMENTED: &[Account<'_>] = &[
    Account { email: "admin@lanterne-rouge.com", password: "admin_password_123", is_admin: true },
    Account { email: "tester@lanterne-rouge.com", password: "tester_password_123", is_admin: false },
];

/// The outcome for one account.
pub(crate) enum Outcome {
    /// It was created.
    Created,
    /// It exists, and is left unchanged.
    Found(User),
}

/// Creates those of `accounts` that do not exist, in one transaction; returns the outcome for each.
pub(crate) async fn create(db: &dyn Connection, accounts: &[Account<'_>], cost: Cost) -> Result<Vec<Outcome>, Failure> {
    // Hash before the transaction: a running server would wait for the write lock.
    let mut hashes = Vec::with_capacity(accounts.len());
    for account in accounts {
        hashes.push(missing_hash(db, account, cost).await?);
    }
    let now = Timestamp::now();
    let outcomes = transaction(db, async {
        let mut outcomes = Vec::with_capacity(accounts.len());
        for (account, hash) in accounts.iter().zip(&hashes) {
            outcomes.push(insert(db, account, hash.as_deref(), now).await?);
        }
        Ok::<_, db::Error>(outcomes)
    });
    Ok(outcomes.await?)
}

/// Hashes the password of an account; `None` if the account exists.
async fn missing_hash(db: &dyn Connection, account: &Account<'_>, cost: Cost) -> Result<Option<String>, Failure> {
    if users::find_by_email(db, account.email).await?.is_some() {
        return Ok(None);
    }
    let hash = password::hash(account.password, cost).await;
    hash.map(Some).map_err(|error| Failure::Failed(format!("no randomness for a salt: {error}")))
}

async fn insert(
    db: &dyn Connection,
    account: &Account<'_>,
    hashed_password: Option<&str>,
    now: Timestamp,
) -> Result<Outcome, db::Error> {
    let Account { email, is_admin, .. } = *account;
    if let Some(hashed_password) = hashed_password {
        let new_user = NewUser { email, hashed_password, is_active: true, is_admin, email_verified: true };
        if let Some(user) = users::insert(db, new_user, now).await? {
            record(db, &user, now).await?;
            return Ok(Outcome::Created);
        }
    }
    let found = users::find_by_email(db, email).await?;
    found.map(Outcome::Found).ok_or_else(|| db::Error::Host(format!("{email} was deleted meanwhile: try again")))
}

/// Writes the audit row, without an acting account.
async fn record(db: &dyn Connection, user: &User, now: Timestamp) -> Result<(), db::Error> {
    let entry = Entry {
        action: Action::UserCreate,
        user_id: None,
        resource_id: Some(user.id),
        details: format!("User created by the command seed: {}, admin: {}", user.email, user.is_admin),
    };
    audit::insert(db, &entry, &Client::default(), now).await
}
