//! Nothing without its line in the audit log.

use super::Context;
use super::access::Caller;
use crate::audit::{self, Action, Entry};
use crate::error::Error;
use lanterne_database::{self as db, Connection};

/// What somebody is about to do.
pub(super) struct Attempt {
    /// What it is.
    pub(super) action: Action,
    /// Who it is, if an account is known.
    pub(super) user_id: Option<i64>,
    /// The id of what it is done to.
    pub(super) resource_id: Option<i64>,
    /// What it is about, in a few words: the address of an account.
    pub(super) about: String,
}

impl Attempt {
    /// What the owner of an account does, perhaps to a thing with this id.
    pub(super) fn by(caller: &Caller, action: Action, resource_id: Option<i64>) -> Self {
        Self { action, user_id: Some(caller.user.id), resource_id, about: caller.user.email.clone() }
    }

    /// The line for an attempt that succeeded.
    pub(super) fn done(&self, details: String) -> Entry {
        Entry { action: self.action, user_id: self.user_id, resource_id: self.resource_id, details }
    }

    fn refused(&self, error: &Error) -> Entry {
        let sentence = error.to_string();
        self.done(format!("Refused: {}: {}", sentence.trim_end_matches('.'), self.about))
    }

    /// Writes the line for an attempt that was refused before it could change anything.
    pub(super) async fn record_refusal<C: Connection>(
        &self,
        context: &Context<'_, C>,
        error: &Error,
    ) -> Result<(), Error> {
        audit::record(context.db, self.refused(error), context.client, context.now).await?;
        Ok(())
    }
}

/// Does `work` in one transaction with the line it returns. What it changed is undone if it is refused, and the refusal
/// has a line of its own; only the server's own faults are left to the server's log.
pub(super) async fn recorded<C: Connection, T>(
    context: &Context<'_, C>,
    attempt: &Attempt,
    work: impl Future<Output = Result<(T, Entry), Error>>,
) -> Result<T, Error> {
    let outcome = db::transaction(context.db, async {
        let (value, entry) = work.await?;
        audit::record(context.db, entry, context.client, context.now).await?;
        Ok(value)
    })
    .await;
    if let Err(error) = &outcome
        && !matches!(error, Error::Internal(_))
    {
        attempt.record_refusal(context, error).await?;
    }
    outcome
}
