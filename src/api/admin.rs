//! `/admin`: the accounts of others, and the audit log.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::administration::{self, AuditPage, Creation};
use lanterne_core::audit::{self, Action, Record};
use lanterne_core::config::Config;
use lanterne_core::email::{Email, EmailPart};
use lanterne_core::error::Error as DomainError;
use lanterne_core::secret::NewPassword;
use lanterne_core::users::{self, Changes};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::me::UserReply;
use crate::call::Call;
use crate::docs::{Operation, Tag};
use crate::error::{Error, guessable};
use crate::input::{ActionName, Field as _, Flag, Id, Limit, Offset, Search, Time, request};
use crate::reply::{Reply, json, no_content};

const USER_ID: &str = "The id of the account.";

request! {
    /// A page of accounts.
    pub(crate) struct UsersQuery {
        /// The most accounts to return.
        pub(crate) limit: Limit,
        /// The number of accounts to skip, from the lowest id.
        pub(crate) offset: Offset,
        /// Only accounts whose address contains this text, in any case and any form of its characters. There are no wildcards.
        pub(crate) q: Option<Search>,
        /// Only active accounts, or only inactive ones.
        pub(crate) is_active: Option<Flag>,
        /// Only administrators, or only the others.
        pub(crate) is_admin: Option<Flag>,
    }
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
struct UserPageReply {
    /// The accounts, by id.
    items: Vec<UserReply>,
    /// The number of accounts on all pages.
    #[schema(minimum = 0, examples(1))]
    total: i64,
    #[schema(schema_with = limit_schema)]
    limit: i64,
    /// The `offset` of the request.
    #[schema(minimum = 0, examples(0))]
    offset: i64,
}

fn limit_schema() -> Object {
    let parameter = Limit::schema();
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("The `limit` of the request."))
        .minimum(parameter.minimum)
        .maximum(parameter.maximum)
        .examples(parameter.default)
        .build()
}

/// `GET /admin/users`
pub(crate) async fn list_users(call: &Call<'_>, _: &Caller) -> Result<Reply, Error> {
    let UsersQuery { limit: Limit(limit), offset: Offset(offset), q, is_active, is_admin } = call.query()?;
    let filter = users::Filter {
        email_part: q.map(|search| EmailPart::parse(&search.0)),
        is_active: is_active.map(|flag| flag.0),
        is_admin: is_admin.map(|flag| flag.0),
    };
    let page = administration::list_users(&call.context().await?, &filter, limit, offset).await?;
    let items = page.items.into_iter().map(UserReply::from).collect();
    Ok(json(StatusCode::OK, &UserPageReply { items, total: page.total, limit, offset }))
}

pub(crate) fn describe_list_users(_: &Config) -> Operation {
    Operation::new("list_users", Tag::Admin, "List accounts")
        .about(
            "Lists accounts by id, page by page. Accounts created meanwhile come last, so pages have neither gaps nor \
             repeats because of them.",
        )
        .query::<UsersQuery>("limit=0&offset=-1&is_active=perhaps")
        .replies::<UserPageReply>(StatusCode::OK, "A page of accounts.")
        .may_fail()
}

request! {
    /// A new account.
    pub(crate) struct CreateUserRequest {
        /// The address to log in with. No other account can have it.
        pub(crate) email: Email,
        /// The password to log in with. All characters are allowed, and all count.
        pub(crate) password: NewPassword,
        /// Whether the account can log in; true if left out.
        pub(crate) is_active: Option<bool>,
        /// Whether the account is an administrator; false if left out.
        pub(crate) is_admin: Option<bool>,
        /// Whether you vouch for the address; true if left out.
        pub(crate) email_verified: Option<bool>,
    }
}

/// `POST /admin/users`
pub(crate) async fn create_user(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let CreateUserRequest { email, password, is_active, is_admin, email_verified } = call.body()?;
    let creation = Creation {
        email: &email,
        is_active: is_active.unwrap_or(true),
        is_admin: is_admin.unwrap_or(false),
        email_verified: email_verified.unwrap_or(true),
    };
    let created = administration::create_user(&call.context().await?, caller, creation, &password).await;
    Ok(json(StatusCode::CREATED, &UserReply::from(created.map_err(guessable("password"))?)))
}

pub(crate) fn describe_create_user(config: &Config) -> Operation {
    Operation::new("create_user", Tag::Admin, "Create an account")
        .about("Creates an account for somebody else, who may be an administrator.")
        .body::<CreateUserRequest>(r#"{"email": "nobody", "password": "short", "is_admin": "yes"}"#)
        .may_refuse_password(config, "password")
        .replies::<UserReply>(StatusCode::CREATED, "The new account.")
        .fails("The address is taken", DomainError::EmailTaken)
        .may_fail()
}

/// `GET /admin/users/{id}`
pub(crate) async fn show_user(call: &Call<'_>, _: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let user = administration::get_user(&call.context().await?, id).await?;
    Ok(json(StatusCode::OK, &UserReply::from(user)))
}

pub(crate) fn describe_show_user(_: &Config) -> Operation {
    Operation::new("show_user", Tag::Admin, "Show an account")
        .about("Returns any account.")
        .path_id(USER_ID)
        .replies::<UserReply>(StatusCode::OK, "The account.")
        .fails("There is no such account", DomainError::UserNotFound)
        .may_fail()
}

request! {
    /// Changes of an account. A field that is left out or `null` keeps its value.
    pub(crate) struct UpdateUserRequest {
        /// The address to log in with from now on. No other account can have it.
        pub(crate) email: Option<Email>,
        /// Whether the account can log in. Deactivating an account ends its sessions.
        pub(crate) is_active: Option<bool>,
        /// Whether the account is an administrator.
        pub(crate) is_admin: Option<bool>,
        /// Whether the address counts as verified.
        pub(crate) email_verified: Option<bool>,
    }
}

/// `PATCH /admin/users/{id}`
pub(crate) async fn update_user(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let UpdateUserRequest { email, is_active, is_admin, email_verified } = call.body()?;
    let changes = Changes { email, is_active, is_admin, email_verified };
    let user = administration::update_user(&call.context().await?, caller, id, &changes).await?;
    Ok(json(StatusCode::OK, &UserReply::from(user)))
}

pub(crate) fn describe_update_user(_: &Config) -> Operation {
    Operation::new("update_user", Tag::Admin, "Update an account")
        .about(
            "Changes the given fields. Deactivating an account ends its sessions; changed rights apply from its next \
             request on. The last active administrator can be neither deactivated nor demoted.",
        )
        .path_id(USER_ID)
        .body::<UpdateUserRequest>(r#"{"email": "nobody", "is_active": "no"}"#)
        .replies::<UserReply>(StatusCode::OK, "The updated account.")
        .fails("There is no such account", DomainError::UserNotFound)
        .fails("The address is taken", DomainError::EmailTaken)
        .fails("No active administrator would be left", DomainError::LastAdmin)
        .may_fail()
}

/// `DELETE /admin/users/{id}`
pub(crate) async fn delete_user(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    administration::delete_user(&call.context().await?, caller, id).await?;
    Ok(no_content())
}

pub(crate) fn describe_delete_user(_: &Config) -> Operation {
    Operation::new("delete_user", Tag::Admin, "Delete an account")
        .about(
            "Deletes an account and its sessions permanently. Its id is never reused, and its audit rows stay. The last \
             active administrator cannot be deleted.",
        )
        .path_id(USER_ID)
        .replies_empty("The account is deleted.")
        .fails("There is no such account", DomainError::UserNotFound)
        .fails("No active administrator would be left", DomainError::LastAdmin)
        .fails("Other data refers to the account", DomainError::UserReferenced)
        .may_fail()
}

/// `DELETE /admin/users/{id}/sessions`
pub(crate) async fn end_sessions(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    administration::end_sessions(&call.context().await?, caller, id).await?;
    Ok(no_content())
}

pub(crate) fn describe_end_sessions(_: &Config) -> Operation {
    Operation::new("end_sessions", Tag::Admin, "End all sessions of an account")
        .about("Logs an account out everywhere. It can log in again unless it is deactivated as well.")
        .path_id(USER_ID)
        .replies_empty("All sessions of the account have ended.")
        .fails("There is no such account", DomainError::UserNotFound)
        .may_fail()
}

request! {
    /// A page of the audit log.
    pub(crate) struct AuditLogsQuery {
        /// Only rows of this account: its actions, and attempts to log in to it.
        pub(crate) user_id: Option<Id>,
        /// Only rows of this action.
        pub(crate) action: Option<ActionName>,
        /// Only rows from this time on, in UTC unless it has an offset.
        pub(crate) since: Option<Time>,
        /// Only rows before this time.
        pub(crate) until: Option<Time>,
        /// The most rows to return.
        pub(crate) limit: Limit,
        /// Only rows with a smaller id: the `next_before` of the previous page.
        pub(crate) before: Option<Id>,
    }
}

/// A row of the audit log.
#[derive(Serialize, ToSchema)]
struct AuditLogReply {
    /// Grows with every row.
    #[schema(minimum = 1, examples(42))]
    id: i64,
    /// The account that acted, or that somebody tried to log in to; `null` if unknown. It may be deleted by now.
    #[schema(required, examples(1))]
    user_id: Option<i64>,
    #[schema(schema_with = action_schema)]
    action: String,
    /// What the action was done to: `user` or `session`.
    #[schema(examples("user"))]
    resource: String,
    /// The id of that user or session; `null` if unknown.
    #[schema(required, examples("3"))]
    resource_id: Option<String>,
    /// A human-readable description.
    #[schema(required, examples("User updated: user@example.com, active: false"))]
    details: Option<String>,
    /// Where the request came from; `null` for commands and for rows of the Python server.
    #[schema(required, examples("203.0.113.9"))]
    ip_address: Option<String>,
    /// The `User-Agent` of the request; `null` if unknown.
    #[schema(required, examples("curl/8.14.1"))]
    user_agent: Option<String>,
    /// When the request arrived, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    created_at: String,
}

fn action_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What was done, or refused: then `details` begins with `Refused`."))
        .enum_values(Some(Action::names()))
        .examples([Action::UserUpdate.name()])
        .build()
}

impl From<Record> for AuditLogReply {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            user_id: record.user_id,
            action: record.action,
            resource: record.resource,
            resource_id: record.resource_id,
            details: record.details,
            ip_address: record.client.address,
            user_agent: record.client.user_agent,
            created_at: record.created_at.to_rfc3339(),
        }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
struct AuditLogPageReply {
    /// The rows, newest first.
    items: Vec<AuditLogReply>,
    /// The `before` of the next page; `null` on the last one.
    #[schema(required, examples(42))]
    next_before: Option<i64>,
}

/// `GET /admin/audit-logs`
pub(crate) async fn list_audit_logs(call: &Call<'_>, _: &Caller) -> Result<Reply, Error> {
    let query: AuditLogsQuery = call.query()?;
    let filter = audit::Filter {
        user_id: query.user_id.map(|id| id.0),
        action: query.action.map(|name| name.0),
        since: query.since.map(|time| time.0),
        until: query.until.map(|time| time.0),
        before: query.before.map(|id| id.0),
    };
    let page = administration::list_audit_logs(&call.context().await?, &filter, query.limit.0).await?;
    let AuditPage { items, next_before } = page;
    let items = items.into_iter().map(AuditLogReply::from).collect();
    Ok(json(StatusCode::OK, &AuditLogPageReply { items, next_before }))
}

pub(crate) fn describe_list_audit_logs(_: &Config) -> Operation {
    Operation::new("list_audit_logs", Tag::Admin, "Read the audit log")
        .about(&format!(
            "Lists what was done and what was refused, newest first, page by page. Send the `next_before` of a page as the \
             `before` of the next: rows written meanwhile neither shift nor repeat any.\n\nThe actions are `{}`.",
            Action::names().join("`, `")
        ))
        .query::<AuditLogsQuery>("user_id=me&since=yesterday&limit=1000")
        .replies::<AuditLogPageReply>(StatusCode::OK, "A page of the log.")
        .may_fail()
}
