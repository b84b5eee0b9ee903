//! The table `outbox`: messages to people, written in the transaction of what they report and delivered after it.
//!
//! A claim schedules the next attempt before the present one begins: two deliverers never send a message at the same moment,
//! and a deliverer that is killed loses none. A failed attempt schedules the next one later, but one of the waiting messages
//! is always attempted soon, and the first that succeeds makes all of them due. The token leaves the row as soon as it is of
//! no more use.

use std::time::Duration;

use lanterne_database::{Connection, Error, Row, Timestamp, params};

use crate::secret::Secret;

/// How long a claim excludes other deliverers: longer than a request may take.
const CLAIM: Duration = Duration::from_secs(30);
/// The longest pause between two attempts as long as any message waits.
const PROBE_PAUSE: Duration = Duration::from_secs(30);
/// The pause after the first failed attempt; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(30);
/// The longest pause between two attempts of one message.
const PAUSE_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a token to set a new password.
    PasswordReset,
    /// With a token to verify an address.
    EmailVerify,
    /// The account is to have another address, or has one; sent to the former.
    EmailChanged,
    /// The password was changed.
    PasswordChanged,
}

impl Kind {
    /// All kinds.
    const ALL: [Self; 4] = [Self::PasswordReset, Self::EmailVerify, Self::EmailChanged, Self::PasswordChanged];

    /// Returns the `type` of the message.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password.reset",
            Self::EmailVerify => "email.verify",
            Self::EmailChanged => "email.changed",
            Self::PasswordChanged => "password.changed",
        }
    }

    fn parse(name: &str) -> Result<Self, Error> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| Error::Column(format!("not a type of message: {name:?}")))
    }
}

/// A message to write.
pub struct NewMessage<'a> {
    /// Identifies it to the receiver.
    pub message_id: &'a str,
    /// What it is about.
    pub kind: Kind,
    /// The account; `None` if it is to be looked up by the recipient's address before the delivery.
    pub user_id: Option<i64>,
    /// The address to send it to.
    pub recipient: &'a str,
    /// The token that it carries, and when that expires.
    pub token: Option<(&'a Secret, Timestamp)>,
}

/// A message that this deliverer alone may send for [`CLAIM`].
pub struct Claimed {
    /// The row.
    pub id: i64,
    /// Identifies it to the receiver.
    pub message_id: String,
    /// What it is about.
    pub kind: Kind,
    /// The account; `None` if it is not looked up yet.
    pub user_id: Option<i64>,
    /// The address to send it to.
    pub recipient: String,
    /// The token that it carries.
    pub token: Option<Secret>,
    /// When the token expires.
    pub expires_at: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// The number of attempts, including this one.
    pub attempts: i64,
}

impl Claimed {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get(0)?,
            message_id: row.get(1)?,
            kind: Kind::parse(&row.get::<String>(2)?)?,
            user_id: row.get(3)?,
            recipient: row.get(4)?,
            token: row.get::<Option<String>>(5)?.map(Secret::new),
            expires_at: row.get(6)?,
            created_at: row.get(7)?,
            attempts: row.get(8)?,
        })
    }
}

/// Inserts a message that is due at once.
pub async fn insert(db: &dyn Connection, message: &NewMessage<'_>, now: Timestamp) -> Result<(), Error> {
    let NewMessage { message_id, kind, user_id, recipient, token } = *message;
    let sql = "INSERT INTO outbox
                 (message_id, type, user_id, recipient, token, expires_at, created_at, attempts, next_attempt_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?7)";
    let (token, expires_at) = (token.map(|(token, _)| token.expose()), token.map(|(_, expires_at)| expires_at));
    db.execute(sql, params![message_id, kind.name(), user_id, recipient, token, expires_at, now]).await
}

/// Ends the attempts to deliver the account's messages of one kind: their token has been replaced. The rows stay, since a
/// receiver may have got such a message without saying so.
pub async fn cancel(db: &dyn Connection, user_id: i64, kind: Kind) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = NULL, token = NULL
               WHERE user_id = ?1 AND type = ?2 AND next_attempt_at IS NOT NULL";
    db.execute(sql, params![user_id, kind.name()]).await
}

/// Ends the attempts to deliver the account's messages with tokens.
pub async fn cancel_tokens(db: &dyn Connection, user_id: i64) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = NULL, token = NULL WHERE user_id = ?1 AND token IS NOT NULL";
    db.execute(sql, params![user_id]).await
}

/// Ends the attempts to deliver any message of the account.
pub async fn cancel_all(db: &dyn Connection, user_id: i64) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = NULL, token = NULL
               WHERE user_id = ?1 AND next_attempt_at IS NOT NULL";
    db.execute(sql, params![user_id]).await
}

/// Counts the messages of one kind that the account or the address got after `since`, without those that were only asked for.
pub async fn count_since(
    db: &dyn Connection,
    user_id: i64,
    recipient: &str,
    kind: Kind,
    since: Timestamp,
) -> Result<i64, Error> {
    let sql = "SELECT count(*) FROM outbox
               WHERE (user_id = ?1 OR recipient = ?2 AND user_id IS NOT NULL) AND type = ?3 AND created_at > ?4";
    db.query_value(sql, params![user_id, recipient, kind.name(), since]).await
}

/// Returns when the oldest of these messages was written.
pub async fn oldest_since(
    db: &dyn Connection,
    user_id: i64,
    recipient: &str,
    kind: Kind,
    since: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT min(created_at) FROM outbox
               WHERE (user_id = ?1 OR recipient = ?2 AND user_id IS NOT NULL) AND type = ?3 AND created_at > ?4";
    let oldest = db.query_first(sql, params![user_id, recipient, kind.name(), since], |row| row.get(0)).await?;
    Ok(oldest.flatten())
}

/// Makes this connection overwrite what it deletes, so that the file does not keep the tokens. A server has its own setting.
pub async fn overwrite_deleted(db: &dyn Connection) -> Result<(), Error> {
    if !db.is_file() {
        return Ok(());
    }
    db.query("PRAGMA secure_delete = ON", vec![]).await.map(drop)
}

/// Claims the message that has been due longest; `None` if none is due. The UPDATE decides which of several deliverers gets it.
/// The next attempt is due after [`CLAIM`], unless this one succeeds or [`postpone`] follows.
pub async fn claim(db: &dyn Connection, now: Timestamp) -> Result<Option<Claimed>, Error> {
    let due = "SELECT id, attempts FROM outbox WHERE next_attempt_at <= ?1 ORDER BY next_attempt_at LIMIT 1";
    let find = async || db.query_first(due, params![now], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))).await;
    while let Some((id, attempts)) = find().await? {
        let attempts_now = attempts.saturating_add(1);
        let sql = "UPDATE outbox SET attempts = ?3, next_attempt_at = ?4
                   WHERE id = ?1 AND attempts = ?2 AND next_attempt_at <= ?5
                   RETURNING id, message_id, type, user_id, recipient, token, expires_at, created_at, attempts";
        let params = params![id, attempts, attempts_now, now.after(CLAIM), now];
        // Another deliverer may have been faster.
        if let Some(claimed) = db.query_first(sql, params, Claimed::from_row).await? {
            return Ok(Some(claimed));
        }
    }
    Ok(None)
}

/// Completes a claimed message that was asked for, now that its account is known. Returns whether it is still claimed.
pub async fn complete(
    db: &dyn Connection,
    message: &Claimed,
    user_id: i64,
    token: &Secret,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE outbox SET user_id = ?3, token = ?4, expires_at = ?5
               WHERE id = ?1 AND attempts = ?2 AND user_id IS NULL
               RETURNING id";
    let params = params![message.id, message.attempts, user_id, token.expose(), expires_at];
    Ok(db.query_first(sql, params, |row| row.get::<i64>(0)).await?.is_some())
}

/// Deletes a claimed message that nobody is to get.
pub async fn delete(db: &dyn Connection, message: &Claimed) -> Result<(), Error> {
    db.execute("DELETE FROM outbox WHERE id = ?1 AND attempts = ?2", params![message.id, message.attempts]).await
}

/// Marks a message as delivered, and removes its token. It is even if another deliverer has claimed it meanwhile.
pub async fn mark_delivered(db: &dyn Connection, id: i64, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE outbox SET delivered_at = ?2, next_attempt_at = NULL, token = NULL WHERE id = ?1";
    db.execute(sql, params![id, now]).await
}

/// Ends the attempts to deliver a claimed message, and removes its token.
pub async fn give_up(db: &dyn Connection, message: &Claimed) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = NULL, token = NULL WHERE id = ?1 AND attempts = ?2";
    db.execute(sql, params![message.id, message.attempts]).await
}

/// Schedules the attempt after a failed one, unless another deliverer has claimed the message since.
pub async fn postpone(db: &dyn Connection, message: &Claimed, next_attempt_at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = ?3 WHERE id = ?1 AND attempts = ?2 AND next_attempt_at IS NOT NULL";
    db.execute(sql, params![message.id, message.attempts, next_attempt_at]).await
}

/// Makes all messages due that failed before, because the receiver is back. Those that are due within [`CLAIM`] stay as they
/// are: another deliverer may be sending them.
pub async fn release(db: &dyn Connection, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = ?1 WHERE next_attempt_at > ?2";
    db.execute(sql, params![now, now.after(CLAIM)]).await
}

/// Makes sure that one of the messages that have failed repeatedly is due within [`PROBE_PAUSE`], to find out whether the
/// receiver is back. It is the one that would be due first: the pause of one that is refused again doubles, so that they take
/// turns.
pub async fn schedule_probe(db: &dyn Connection, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE outbox SET next_attempt_at = ?1
               WHERE id = (SELECT id FROM outbox WHERE next_attempt_at > ?1 ORDER BY next_attempt_at LIMIT 1)
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE next_attempt_at <= ?1 AND attempts > 1)";
    db.execute(sql, params![now.after(PROBE_PAUSE)]).await
}

/// Returns the pause after this many attempts.
#[must_use]
pub fn pause_after(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or_default();
    (PAUSE_MIN * 2_u32.pow(doublings)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::pause_after;

    #[test]
    fn pauses_double_up_to_six_hours() {
        let pauses = [1, 2, 3, 10, 11, i64::MAX].map(|attempts| pause_after(attempts).as_secs());
        assert_eq!(pauses, [30, 60, 120, 15_360, 21_600, 21_600]);
    }
}
