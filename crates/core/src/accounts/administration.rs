//! Managing the accounts of others and reading the audit log. The last active administrator can be neither deleted nor
//! deactivated nor demoted.

use super::AppContext;
use super::access::{Caller, reload_admin};
use super::audited::AuditedAction;
use crate::audit::{self, Action, Record};
use crate::email::Email;
use crate::error::Error;
use crate::mail::{self, Issued};
use crate::one_time_tokens::Purpose;
use crate::outbox::Kind;
use crate::removal;
use crate::secret::NewPassword;
use crate::sessions;
use crate::users::{self, Changes, NewUser, User};

/// A page of accounts.
pub struct UserPage {
    /// By id.
    pub items: Vec<User>,
    /// The number of accounts on all pages.
    pub total: i64,
}

/// A page of the audit log.
pub struct AuditPage {
    /// Newest first.
    pub items: Vec<Record>,
    /// The `before` of the next page; `None` on the last one.
    pub next_before: Option<i64>,
}

/// Lists accounts.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn list_users(
    context: &AppContext<'_>,
    filter: &users::Filter,
    limit: i64,
    offset: i64,
) -> Result<UserPage, Error> {
    let items = users::list(context.db, filter, limit, offset).await?;
    // The last page implies the total, which saves searching all addresses for a rare match.
    let length = i64::try_from(items.len()).unwrap_or(limit);
    let is_last = length < limit && (length > 0 || offset == 0);
    let total = if is_last { offset + length } else { users::count(context.db, filter).await? };
    Ok(UserPage { items, total })
}

/// Returns the account with this id.
///
/// # Errors
/// [`Error::UserNotFound`]
pub async fn get_user(context: &AppContext<'_>, id: i64) -> Result<User, Error> {
    users::find_by_id(context.db, id).await?.ok_or(Error::UserNotFound)
}

/// The account to create, without its password.
pub struct Creation<'a> {
    /// The address.
    pub email: &'a Email,
    /// Whether it can log in.
    pub is_active: bool,
    /// Whether it is an administrator.
    pub is_admin: bool,
    /// Whether the administrator vouches for the address.
    pub email_verified: bool,
}

/// Creates an account.
///
/// # Errors
/// [`Error::EmailTaken`], [`Error::GuessablePassword`].
pub async fn create_user(
    context: &AppContext<'_>,
    caller: &Caller,
    creation: Creation<'_>,
    password: &NewPassword,
) -> Result<User, Error> {
    let Creation { email, is_active, is_admin, email_verified } = creation;
    let email = email.as_str();
    context.check_password(password, email)?;
    let action = AuditedAction { subject: email.to_owned(), ..caller.action(Action::UserCreate, None) };
    let hashed_password = context.hash(password.expose()).await?;
    let work = async {
        reload_admin(context, caller).await?;
        let new_user = NewUser { email, hashed_password: &hashed_password, is_active, is_admin, email_verified };
        let user = users::insert(context.db, new_user, context.now).await?.ok_or(Error::EmailTaken)?;
        let action = AuditedAction { resource_id: Some(user.id), ..action.clone() };
        action.record(context, format!("User created: {email}, active: {is_active}, admin: {is_admin}")).await?;
        Ok(user)
    };
    action.run(context, work).await
}

/// Updates an account. Deactivating it ends its sessions and its one-time tokens; another address ends the tokens, and the
/// former address is told.
///
/// # Errors
/// [`Error::UserNotFound`], [`Error::LastAdmin`], [`Error::EmailTaken`].
pub async fn update_user(context: &AppContext<'_>, caller: &Caller, id: i64, changes: &Changes) -> Result<User, Error> {
    let action = action_on(caller, Action::UserUpdate, id);
    let work = async {
        reload_admin(context, caller).await?;
        let user = get_user(context, id).await?;
        if changes.is_active == Some(false) || changes.is_admin == Some(false) {
            removal::keep_an_administrator(context.db, &user).await?;
        }
        let changed = users::update(context.db, id, changes, context.now).await?.ok_or(Error::EmailTaken)?;
        if changed.email != user.email {
            context.post_notice(Kind::EmailChanged, &user).await?;
        }
        if !changed.is_active {
            sessions::end_all(context.db, id, None).await?;
        }
        if !changed.is_active || changed.email != user.email {
            mail::end_tokens(context.db, id).await?;
        }
        action.record(context, format!("User updated: {}", difference(&user, &changed))).await?;
        Ok(changed)
    };
    action.run(context, work).await
}

/// Deletes an account with its sessions. Its audit rows stay.
///
/// # Errors
/// [`Error::UserNotFound`], [`Error::LastAdmin`], [`Error::UserReferenced`].
pub async fn delete_user(context: &AppContext<'_>, caller: &Caller, id: i64) -> Result<(), Error> {
    let action = action_on(caller, Action::UserDelete, id);
    let work = async {
        reload_admin(context, caller).await?;
        let user = get_user(context, id).await?;
        removal::delete_account(context.db, &user).await?;
        action.record(context, format!("User deleted: {}", user.email)).await
    };
    action.run(context, work).await
}

/// Ends all sessions of an account.
///
/// # Errors
/// [`Error::UserNotFound`]
pub async fn end_sessions(context: &AppContext<'_>, caller: &Caller, id: i64) -> Result<(), Error> {
    let action = action_on(caller, Action::UserSessionsRevoke, id);
    let work = async {
        reload_admin(context, caller).await?;
        let user = get_user(context, id).await?;
        let count = sessions::end_all(context.db, id, None).await?;
        action.record(context, format!("All sessions of user {id} ended ({count}): {}", user.email)).await
    };
    action.run(context, work).await
}

/// Creates a token to set a new password, for the administrator to hand over; the account's former one ends. It may reach its
/// owner by any channel, so using it does not verify the address.
///
/// # Errors
/// [`Error::UserNotFound`]
pub async fn issue_password_reset(context: &AppContext<'_>, caller: &Caller, id: i64) -> Result<Issued, Error> {
    let action = action_on(caller, Action::UserPasswordReset, id);
    let work = async {
        reload_admin(context, caller).await?;
        let user = get_user(context, id).await?;
        let config = &context.config.mail;
        let issued =
            mail::issue(context.db, config, id, Purpose::PasswordReset, &user.email, false, context.now).await?;
        action.record(context, format!("Token to reset the password of user {id} created: {}", user.email)).await?;
        Ok(issued)
    };
    action.run(context, work).await
}

/// Lists audit rows.
///
/// # Errors
/// Only [`Error::Internal`].
pub async fn list_audit_logs(context: &AppContext<'_>, filter: &audit::Filter, limit: i64) -> Result<AuditPage, Error> {
    // One row more than asked for tells whether there is another page.
    let mut items = audit::list(context.db, filter, limit + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > shown;
    items.truncate(shown);
    let next_before = items.last().map(|last| last.id).filter(|_| has_more);
    Ok(AuditPage { items, next_before })
}

fn action_on(caller: &Caller, action: Action, id: i64) -> AuditedAction {
    AuditedAction { subject: format!("user {id}"), ..caller.action(action, Some(id)) }
}

/// Describes the changes of an account for the audit log.
fn difference(old: &User, new: &User) -> String {
    let mut changes = Vec::new();
    if old.email != new.email {
        changes.push(format!("email to {}", new.email));
    }
    if old.is_active != new.is_active {
        changes.push(format!("active: {}", new.is_active));
    }
    if old.is_admin != new.is_admin {
        changes.push(format!("admin: {}", new.is_admin));
    }
    if old.email_verified != new.email_verified {
        changes.push(format!("email verified: {}", new.email_verified));
    }
    let changes = if changes.is_empty() { "nothing to change".to_owned() } else { changes.join(", ") };
    format!("{}, {changes}", old.email)
}
