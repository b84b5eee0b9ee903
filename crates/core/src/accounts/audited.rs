//! Audit rows: one for every action, whether it succeeds or is refused.

use lanterne_database::transaction;

use super::AppContext;
use crate::audit::{self, Action, Entry};
use crate::error::Error;

/// An action in progress.
#[derive(Clone)]
pub(super) struct AuditedAction {
    pub(super) action: Action,
    /// The account that acts, if known.
    pub(super) user_id: Option<i64>,
    /// What it acts on, if known.
    pub(super) resource_id: Option<i64>,
    /// What the row of a refusal mentions, such as an e-mail address; may be empty.
    pub(super) subject: String,
}

impl AuditedAction {
    /// An action on nothing in particular; `subject` may be empty.
    pub(super) fn new(action: Action, user_id: Option<i64>, subject: &str) -> Self {
        Self { action, user_id, resource_id: None, subject: subject.to_owned() }
    }

    /// Writes the row of a success.
    pub(super) async fn record(&self, context: &AppContext<'_>, details: String) -> Result<(), Error> {
        Ok(audit::insert(context.db, &self.entry(details), context.client, context.now).await?)
    }

    /// Writes the row of a refusal, or increments the count of an identical recent one.
    pub(super) async fn refuse(&self, context: &AppContext<'_>, error: &Error) -> Result<(), Error> {
        let reason = error.to_string();
        let reason = reason.trim_end_matches('.');
        let details = match self.subject.as_str() {
            "" => format!("Refused: {reason}"),
            subject => format!("Refused: {reason}: {subject}"),
        };
        Ok(audit::insert_refusal(context.db, &self.entry(details), context.client, context.now).await?)
    }

    fn entry(&self, details: String) -> Entry {
        let Self { action, user_id, resource_id, .. } = *self;
        Entry { action, user_id, resource_id, details }
    }

    /// Runs `work`, which records its success, in one transaction. An error rolls it back. A refusal is then recorded
    /// outside of the transaction; an internal error is not recorded, since the server logs it.
    pub(super) async fn run<T>(
        &self,
        context: &AppContext<'_>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let outcome = transaction(context.db, work).await;
        if let Err(error) = &outcome
            && !matches!(error, Error::Internal(_))
        {
            self.refuse(context, error).await?;
        }
        outcome
    }
}
