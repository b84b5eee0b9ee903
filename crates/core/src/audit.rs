//! The table `audit_logs`: who did what, when and from where, written in the transaction that it records.
//!
//! A row outlives its account: `user_id` references no table, and ids are never reused.

use std::time::Duration;

use lanterne_database::{Connection, Error, Row, Timestamp, params};

use crate::client::{Client, printable};
use crate::conditions::Conditions;

/// The most characters of `details` that are stored.
const DETAILS_CHARS_MAX: usize = 1000;

/// The number of identical refusals within [`REPEATED_WITHIN`] that get rows of their own; later ones are counted in
/// the newest.
const REPEATED_ROWS: i64 = 10;
/// Long enough for [`REPEATED_ROWS`] at one row a minute, so that endless repetition stays at that rate.
const REPEATED_WITHIN: Duration = Duration::from_secs(10 * 60);
/// The maximum age of a row in which further refusals are counted.
const REPEATED_ROW_AGE_MAX: Duration = Duration::from_secs(60);
/// The number of recent rows of the action that are searched for an identical refusal.
const RECENT_ROWS: i64 = 100;

/// Declares [`Action`] with the columns `action` and `resource` of each variant.
macro_rules! actions {
    ($($(#[$about:meta])* $action:ident = $name:literal on $resource:literal,)*) => {
        /// What was done, or refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$about])* $action,)*
        }

        impl Action {
            /// Lists the names of all actions, each once.
            #[must_use]
            pub fn names() -> Vec<&'static str> {
                let mut names = Vec::new();
                for name in [$($name,)*] {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                names
            }

            /// The action's name in the log; two actions may share one.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }

            /// The kind of thing that `resource_id` identifies.
            #[must_use]
            pub fn resource(self) -> &'static str {
                match self { $(Self::$action => $resource,)* }
            }
        }
    };
}

actions! {
    /// An account was registered.
    Register = "register" on "user",
    /// A session was opened with a password.
    Login = "login" on "session",
    /// A login was refused.
    LoginFailed = "login_failed" on "session",
    /// A login was refused without checking the password.
    LoginThrottled = "login_throttled" on "session",
    /// A refresh token was exchanged.
    Refresh = "refresh" on "session",
    /// A refresh token came back after its use; its session was ended.
    RefreshReuse = "refresh_reuse" on "session",
    /// A session ended itself.
    Logout = "logout" on "session",
    /// An account ended all its sessions.
    LogoutAll = "logout_all" on "session",
    /// An account changed its password.
    PasswordChange = "password_change" on "user",
    /// Somebody asked for a message to set a new password.
    PasswordForgot = "password_forgot" on "user",
    /// A new password was set with a one-time token.
    PasswordReset = "password_reset" on "user",
    /// An account changed its address, or asked to.
    EmailChange = "email_change" on "user",
    /// Somebody asked for a message to verify an address.
    EmailVerification = "email_verification" on "user",
    /// An address was verified.
    EmailVerify = "email_verify" on "user",
    /// An account deleted itself.
    AccountDelete = "account_delete" on "user",
    /// An account ended one of its sessions.
    SessionRevoke = "session_revoke" on "session",
    /// An administrator ended all sessions of an account.
    UserSessionsRevoke = "session_revoke" on "user",
    /// An administrator created an account.
    UserCreate = "user_create" on "user",
    /// An administrator changed an account.
    UserUpdate = "user_update" on "user",
    /// An administrator made a one-time token to set a new password.
    UserPasswordReset = "user_password_reset" on "user",
    /// An administrator deleted an account.
    UserDelete = "user_delete" on "user",
}

/// A row to write.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was done.
    pub action: Action,
    /// The account that did it, if known.
    pub user_id: Option<i64>,
    /// What it was done to, if known.
    pub resource_id: Option<i64>,
    /// A human-readable description, without passwords, tokens or secrets.
    pub details: String,
}

/// A stored row.
#[derive(Debug)]
pub struct Record {
    /// Grows with every row.
    pub id: i64,
    /// The account that did it, if known.
    pub user_id: Option<i64>,
    /// The name of an [`Action`], or one that the Python server wrote.
    pub action: String,
    /// The kind of thing that `resource_id` identifies.
    pub resource: String,
    /// What it was done to, if known.
    pub resource_id: Option<String>,
    /// A human-readable description.
    pub details: Option<String>,
    /// Where the request came from.
    pub client: Client,
    /// When the request arrived.
    pub created_at: Timestamp,
}

/// Which rows to list; `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Rows of this account.
    pub user_id: Option<i64>,
    /// Rows of this action.
    pub action: Option<String>,
    /// Rows from this time on.
    pub since: Option<Timestamp>,
    /// Rows before this time.
    pub until: Option<Timestamp>,
    /// Rows with a smaller id.
    pub before: Option<i64>,
}

/// Inserts one row.
pub async fn insert(db: &dyn Connection, entry: &Entry, client: &Client, now: Timestamp) -> Result<(), Error> {
    db.execute(
        "INSERT INTO audit_logs
           (user_id, action, resource, resource_id, details, ip_address, user_agent, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            entry.user_id,
            entry.action.name(),
            entry.action.resource(),
            entry.resource_id.map(|id| id.to_string()),
            printable(&entry.details, DETAILS_CHARS_MAX),
            client.address.clone(),
            client.user_agent.clone(),
            now
        ],
    )
    .await
}

/// Inserts the row of a refusal, or counts it in the newest row of the same one: the same action, account, resource,
/// reason and address. A client that repeats itself gets [`REPEATED_ROWS`] rows of its own, then one a minute.
pub async fn insert_refusal(db: &dyn Connection, entry: &Entry, client: &Client, now: Timestamp) -> Result<(), Error> {
    let counted = db
        .query(
            "UPDATE audit_logs
             SET details = ?3 || ' (' || (1 + max(1, CAST(substr(details, length(?3) + 3) AS INTEGER))) || ' times)'
             WHERE id =
               (SELECT iif(count(*) >= ?9 AND max(created_at) > ?7, max(id), NULL)
                FROM (SELECT * FROM audit_logs WHERE action = ?1 ORDER BY id DESC LIMIT ?10)
                WHERE user_id IS ?2 AND substr(details, 1, length(?3) + 2) IN (?3, ?3 || ' (')
                  AND resource_id IS ?4 AND ip_address IS ?5 AND created_at BETWEEN ?8 AND ?6)
             RETURNING id",
            params![
                entry.action.name(),
                entry.user_id,
                printable(&entry.details, DETAILS_CHARS_MAX),
                entry.resource_id.map(|id| id.to_string()),
                client.address.clone(),
                now,
                now.before(REPEATED_ROW_AGE_MAX),
                now.before(REPEATED_WITHIN),
                REPEATED_ROWS,
                RECENT_ROWS
            ],
        )
        .await?;
    if counted.is_empty() { insert(db, entry, client, now).await } else { Ok(()) }
}

/// Lists at most `limit` rows, newest first. Reads the table, or the index of an account or an action, backwards from
/// `before` or from the newest row: rows after `until` are read and skipped.
pub async fn list(db: &dyn Connection, filter: &Filter, limit: i64) -> Result<Vec<Record>, Error> {
    let Filter { user_id, action, since, until, before } = filter.clone();
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
            client: Client { address: row.get(6)?, user_agent: row.get(7)? },
            created_at: row.get(8)?,
        })
    }
}
