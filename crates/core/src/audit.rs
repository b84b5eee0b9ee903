//! The table `audit_logs`: who did what, when and from where, written in the transaction of what it records.
//!
//! A row outlives the account that it speaks of: `user_id` refers to no table, and ids are never given out again.

use crate::client::{Client, printable};
use crate::conditions::Conditions;
use lanterne_database::Timestamp;
use lanterne_database::params;
use lanterne_database::{Connection, Error, Row};

/// The longest `details` that is kept, in characters.
const DETAILS_MAX: usize = 1000;

/// What happened, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Somebody made an account.
    Register,
    /// A session was opened with a password.
    Login,
    /// A password was refused.
    LoginFailed,
    /// Too many passwords were tried.
    LoginThrottled,
    /// A refresh token was exchanged.
    Refresh,
    /// A refresh token came back long after it was exchanged: it was stolen, before or after.
    RefreshReuse,
    /// A session was ended by itself.
    Logout,
    /// All sessions of an account were ended by one of them.
    LogoutAll,
    /// An account got another password.
    PasswordChange,
    /// An account got another address.
    EmailChange,
    /// An account was deleted by its owner.
    AccountDelete,
    /// A session was ended by another one.
    SessionRevoke,
    /// Those of an account were ended by an administrator.
    SessionsRevoke,
    /// An administrator made an account.
    UserCreate,
    /// An administrator changed an account.
    UserUpdate,
    /// An administrator deleted an account.
    UserDelete,
}

impl Action {
    /// The action's name, and the kind of thing it was done to.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Register => ("register", "user"),
            Self::Login => ("login", "session"),
            Self::LoginFailed => ("login_failed", "session"),
            Self::LoginThrottled => ("login_throttled", "session"),
            Self::Refresh => ("refresh", "session"),
            Self::RefreshReuse => ("refresh_reuse", "session"),
            Self::Logout => ("logout", "session"),
            Self::LogoutAll => ("logout_all", "session"),
            Self::PasswordChange => ("password_change", "user"),
            Self::EmailChange => ("email_change", "user"),
            Self::AccountDelete => ("account_delete", "user"),
            Self::SessionRevoke => ("session_revoke", "session"),
            Self::SessionsRevoke => ("session_revoke", "user"),
            Self::UserCreate => ("user_create", "user"),
            Self::UserUpdate => ("user_update", "user"),
            Self::UserDelete => ("user_delete", "user"),
        }
    }
}

/// A new line of the log.
#[derive(Debug)]
pub struct Entry {
    /// What happened.
    pub action: Action,
    /// Who did it, if an account is known.
    pub user_id: Option<i64>,
    /// The id of what it was done to.
    pub resource_id: Option<i64>,
    /// A sentence for a person. No password, token or secret.
    pub details: String,
}

/// A line of the log as it is kept.
#[derive(Debug)]
pub struct Record {
    /// Its number: a later line has a greater one.
    pub id: i64,
    /// Who did it, if an account is known.
    pub user_id: Option<i64>,
    /// What happened.
    pub action: String,
    /// The kind of thing it was done to.
    pub resource: String,
    /// The id of what it was done to.
    pub resource_id: Option<String>,
    /// A sentence for a person.
    pub details: Option<String>,
    /// Where it came from.
    pub client: Client,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// Which lines to show; `None` shows all.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// Those of what this account did, or of who tried to log in to it.
    pub user_id: Option<i64>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those from this time on.
    pub since: Option<Timestamp>,
    /// Those from before this time.
    pub until: Option<Timestamp>,
    /// Those with a smaller id.
    pub before: Option<i64>,
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
            entry.resource_id.map(|id| id.to_string()),
            printable(&entry.details, DETAILS_MAX),
            client.address.clone(),
            client.agent.clone(),
            now
        ],
    )
    .await?;
    Ok(())
}

/// At most `limit` lines, the newest first. The log is read back from its end, or by the index of an account or an action,
/// until there are enough: for a time long ago that is most of it.
pub async fn page(db: &impl Connection, filters: &Filters, limit: i64) -> Result<Vec<Record>, Error> {
    let Filters { user_id, action, since, until, before } = filters.clone();
    let (conditions, mut params) = Conditions::default()
        .and("user_id = ?", user_id)
        .and("action = ?", action)
        .and("created_at >= ?", since)
        .and("created_at < ?", until)
        .and("id < ?", before)
        .build();
    params.push(limit.into());
    let sql = format!(
        "SELECT id, user_id, action, resource, resource_id, details, ip_address, user_agent, created_at
         FROM audit_logs {conditions} ORDER BY id DESC LIMIT ?"
    );
    let rows = db.query(&sql, params).await?;
    rows.iter().map(Record::from_row).collect()
}

impl Record {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            action: row.get(2)?,
            resource: row.get(3)?,
            resource_id: row.get(4)?,
            details: row.get(5)?,
            client: Client { address: row.get(6)?, agent: row.get(7)? },
            created_at: row.get(8)?,
        })
    }
}
