//! Deletes accounts, except the last active administrator and those that other rows refer to.

use lanterne_database::Connection;

use crate::error::Error;
use crate::users::User;
use crate::{outbox, sessions, users};

/// Fails if `user` is the last active administrator. Call it in the transaction of the change: writing transactions never
/// overlap, so two administrators cannot remove each other.
///
/// # Errors
/// [`Error::LastAdmin`]
pub async fn keep_an_administrator(db: &dyn Connection, user: &User) -> Result<(), Error> {
    let is_one = user.is_admin && user.is_active;
    if is_one && !users::has_other_active_admin(db, user.id).await? {
        return Err(Error::LastAdmin);
    }
    Ok(())
}

/// Deletes an account with its sessions and tokens, and ends the attempts to deliver its messages.
///
/// # Errors
/// [`Error::LastAdmin`], [`Error::UserReferenced`].
pub async fn delete_account(db: &dyn Connection, user: &User) -> Result<(), Error> {
    keep_an_administrator(db, user).await?;
    sessions::delete_all(db, user.id).await?;
    outbox::cancel_all(db, user.id).await?;
    users::delete(db, user.id)
        .await
        .map_err(|error| if error.is_foreign_key_violation() { Error::UserReferenced } else { error.into() })
}
