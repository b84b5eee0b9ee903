//! What administrators do with the accounts of others, and see of them. There is always one who can: the last active
//! administrator is neither deleted nor switched off nor demoted.

use super::access::{Caller, admin_again};
use super::recorded::{Attempt, recorded};
use super::{Context, hash, keep_an_admin, remove};
use crate::audit::{self, Action, Entry, Record};
use crate::error::Error;
use crate::requests::{AuditLogsQuery, CreateUserRequest, UpdateUserRequest, UsersQuery};
use crate::sessions;
use crate::users::{self, Changes, NewUser, User};
use lanterne_database::Connection;

/// Some of the accounts, and how many there are.
pub struct UserPage {
    /// By id.
    pub items: Vec<User>,
    /// How many there are on all pages.
    pub total: i64,
}

/// Some lines of the audit log.
pub struct AuditPage {
    /// The newest first.
    pub items: Vec<Record>,
    /// What to ask for as `before` to get those after them; `None` if there are no more.
    pub next_before: Option<i64>,
}

/// The accounts that a query asks for.
///
/// # Errors
/// None of the domain.
pub async fn list_users<C: Connection>(context: &Context<'_, C>, query: &UsersQuery) -> Result<UserPage, Error> {
    let filters = users::Filters {
        email_part: query.q.as_ref().map(|q| q.0.clone()),
        is_active: query.is_active.map(|flag| flag.0),
        is_admin: query.is_admin.map(|flag| flag.0),
    };
    let (limit, offset) = (query.limit.0, query.offset.0);
    let items = users::page(context.db, &filters, limit, offset).await?;
    // The last page tells the total by itself, which saves a search in all addresses for what few of them have.
    let length = i64::try_from(items.len()).unwrap_or(limit);
    let is_last = length < limit && (length > 0 || offset == 0);
    let total = if is_last { offset + length } else { users::count(context.db, &filters).await? };
    Ok(UserPage { items, total })
}

/// The account with this id.
///
/// # Errors
/// [`Error::NoUser`]
pub async fn get_user<C: Connection>(context: &Context<'_, C>, id: i64) -> Result<User, Error> {
    users::find_by_id(context.db, id).await?.ok_or(Error::NoUser)
}

/// Makes an account.
///
/// # Errors
/// [`Error::EmailTaken`]
pub async fn create_user<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    request: CreateUserRequest,
) -> Result<User, Error> {
    let email = request.email.as_str();
    let attempt = Attempt {
        action: Action::UserCreate,
        user_id: Some(caller.user.id),
        resource_id: None,
        about: email.to_owned(),
    };
    let hashed_password = hash(context, request.password.expose()).await?;
    let (is_active, is_admin) = (request.is_active.unwrap_or(true), request.is_admin.unwrap_or(false));
    recorded(context, &attempt, async {
        admin_again(context, caller).await?;
        let new_user = NewUser { email, hashed_password: &hashed_password, is_active, is_admin };
        let user = users::insert(context.db, new_user, context.now).await?.ok_or(Error::EmailTaken)?;
        let details = format!("User created: {email}, active: {is_active}, admin: {is_admin}");
        let entry = Entry { resource_id: Some(user.id), ..attempt.done(details) };
        Ok((user, entry))
    })
    .await
}

/// Changes an account. One that is switched off loses its sessions.
///
/// # Errors
/// [`Error::NoUser`], [`Error::LastAdmin`], [`Error::EmailTaken`].
pub async fn update_user<C: Connection>(
    context: &Context<'_, C>,
    caller: &Caller,
    id: i64,
    request: UpdateUserRequest,
) -> Result<User, Error> {
    let attempt = attempt(caller, Action::UserUpdate, id);
    recorded(context, &attempt, async {
        admin_again(context, caller).await?;
        let user = users::find_by_id(context.db, id).await?.ok_or(Error::NoUser)?;
        let changes = Changes {
            email: request.email.as_ref().map(|email| email.as_str().to_owned()),
            is_active: request.is_active,
            is_admin: request.is_admin,
        };
        if request.is_active == Some(false) || request.is_admin == Some(false) {
            keep_an_admin(context, &user).await?;
        }
        let changed = users::update(context.db, id, &changes, context.now).await?.ok_or(Error::EmailTaken)?;
        if !changed.is_active {
            sessions::end_all(context.db, id, None).await?;
        }
        let details = format!("User updated: {}", difference(&user, &changed));
        Ok((changed, attempt.done(details)))
    })
    .await
}

/// Deletes an account with its sessions. Its lines in the audit log stay.
///
/// # Errors
/// [`Error::NoUser`], [`Error::LastAdmin`].
pub async fn delete_user<C: Connection>(context: &Context<'_, C>, caller: &Caller, id: i64) -> Result<(), Error> {
    let attempt = attempt(caller, Action::UserDelete, id);
    recorded(context, &attempt, async {
        admin_again(context, caller).await?;
        let user = users::find_by_id(context.db, id).await?.ok_or(Error::NoUser)?;
        remove(context, &user).await?;
        Ok(((), attempt.done(format!("User deleted: {}", user.email))))
    })
    .await
}

/// Ends all sessions of an account.
///
/// # Errors
/// [`Error::NoUser`]
pub async fn end_sessions<C: Connection>(context: &Context<'_, C>, caller: &Caller, id: i64) -> Result<(), Error> {
    let attempt = attempt(caller, Action::SessionsRevoke, id);
    recorded(context, &attempt, async {
        admin_again(context, caller).await?;
        let user = users::find_by_id(context.db, id).await?.ok_or(Error::NoUser)?;
        let count = sessions::end_all(context.db, id, None).await?;
        Ok(((), attempt.done(format!("All sessions of user {id} ended ({count}): {}", user.email))))
    })
    .await
}

/// The lines of the audit log that a query asks for.
///
/// # Errors
/// None of the domain.
pub async fn list_audit_logs<C: Connection>(
    context: &Context<'_, C>,
    query: &AuditLogsQuery,
) -> Result<AuditPage, Error> {
    let filters = audit::Filters {
        user_id: query.user_id.map(|id| id.0),
        action: query.action.as_ref().map(|action| action.0.clone()),
        since: query.since.map(|time| time.0),
        until: query.until.map(|time| time.0),
        before: query.before.map(|id| id.0),
    };
    // One more than asked for tells whether there are more.
    let limit = query.limit.0;
    let mut items = audit::page(context.db, &filters, limit + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > shown;
    items.truncate(shown);
    let next_before = items.last().map(|last| last.id).filter(|_| has_more);
    Ok(AuditPage { items, next_before })
}

fn attempt(caller: &Caller, action: Action, id: i64) -> Attempt {
    Attempt { action, user_id: Some(caller.user.id), resource_id: Some(id), about: format!("user {id}") }
}

/// What became of an account, in words.
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
    let changes = if changes.is_empty() { "nothing to change".to_owned() } else { changes.join(", ") };
    format!("{}, {changes}", old.email)
}
