//! Making an account.

use super::recorded::{Attempt, recorded};
use super::{Context, hash};
use crate::audit::{Action, Entry};
use crate::error::Error;
use crate::requests::RegisterRequest;
use crate::users::{self, NewUser, User};
use lanterne_database::Connection;

/// Makes an account that is active and no administrator.
///
/// # Errors
/// [`Error::EmailTaken`], also for all but one of several that ask for the same address at once.
pub async fn register<C: Connection>(context: &Context<'_, C>, request: RegisterRequest) -> Result<User, Error> {
    let email = request.email.as_str();
    let attempt = Attempt { action: Action::Register, user_id: None, resource_id: None, about: email.to_owned() };
    if users::find_by_email(context.db, email).await?.is_some() {
        attempt.record_refusal(context, &Error::EmailTaken).await?;
        return Err(Error::EmailTaken);
    }
    let hashed_password = hash(context, request.password.expose()).await?;
    let new_user = NewUser { email, hashed_password: &hashed_password, is_active: true, is_admin: false };
    recorded(context, &attempt, async {
        let user = users::insert(context.db, new_user, context.now).await?.ok_or(Error::EmailTaken)?;
        let entry = Entry {
            action: Action::Register,
            user_id: Some(user.id),
            resource_id: Some(user.id),
            details: format!("User registered: {email}"),
        };
        Ok((user, entry))
    })
    .await
}
