//! The table `audit_logs`: who did what, when and from where, written in the transaction of what it records.

use crate::client::{Client, printable};
use crate::db::{Connection, Error};
use crate::params;
use crate::timestamp::Timestamp;

/// The longest `details` that is kept, in characters.
const DETAILS_MAX: usize = 1000;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// An account was made.
    Register,
    /// A session was opened with a password.
    Login,
    /// A password was refused.
    LoginFailed,
    /// A refresh token was exchanged.
    Refresh,
}

impl Action {
    /// The action's name, and the kind of thing it was done to.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Register => ("register", "user"),
            Self::Login => ("login", "session"),
            Self::LoginFailed => ("login_failed", "session"),
            Self::Refresh => ("refresh", "session"),
        }
    }
}

/// One line of the log.
pub struct Entry {
    /// What happened.
    pub action: Action,
    /// Who did it, if an account is known.
    pub user_id: Option<i64>,
    /// The id of what it was done to.
    pub resource_id: Option<String>,
    /// A sentence for a person. No password, token or secret.
    pub details: String,
}

/// Writes one line, with the client's address and agent.
pub async fn record(db: &impl Connection, entry: Entry, client: &Client, now: Timestamp) -> Result<(), Error> {
    let (action, resource) = entry.action.columns();
    db.query(
        "INSERT INTO audit_logs
           (user_id, action, resource, resource_id, details, ip_address, user_agent, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            entry.user_id,
            action,
            resource,
            entry.resource_id,
            printable(&entry.details, DETAILS_MAX),
            client.address.clone(),
            client.agent.clone(),
            now
        ],
    )
    .await?;
    Ok(())
}
