//! `/admin`: everybody's accounts, and the audit log.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::administration;
use lanterne_core::error::Error;
use lanterne_core::requests::{AuditLogsQuery, CreateUserRequest, UpdateUserRequest, UsersQuery};

use super::{AuditLogPageReply, UserPageReply, UserReply};
use crate::call::Call;
use crate::reply::{Reply, done, json};

/// `GET /admin/users`
pub(crate) async fn list_users(call: &Call<'_>, _: &Caller) -> Result<Reply, Error> {
    let query: UsersQuery = call.query()?;
    let db = call.database().await?;
    let page = administration::list_users(&call.context(&db), &query).await?;
    Ok(json(StatusCode::OK, &UserPageReply::new(page, query.limit.0, query.offset.0)))
}

/// `POST /admin/users`
pub(crate) async fn create_user(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let request: CreateUserRequest = call.body()?;
    let db = call.database().await?;
    let user = administration::create_user(&call.context(&db), caller, request).await?;
    Ok(json(StatusCode::CREATED, &UserReply::from(user)))
}

/// `GET /admin/users/{id}`
pub(crate) async fn show_user(call: &Call<'_>, _: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let db = call.database().await?;
    let user = administration::get_user(&call.context(&db), id).await?;
    Ok(json(StatusCode::OK, &UserReply::from(user)))
}

/// `PATCH /admin/users/{id}`
pub(crate) async fn update_user(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let request: UpdateUserRequest = call.body()?;
    let db = call.database().await?;
    let user = administration::update_user(&call.context(&db), caller, id, request).await?;
    Ok(json(StatusCode::OK, &UserReply::from(user)))
}

/// `DELETE /admin/users/{id}`
pub(crate) async fn delete_user(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let db = call.database().await?;
    administration::delete_user(&call.context(&db), caller, id).await?;
    Ok(done())
}

/// `DELETE /admin/users/{id}/sessions`
pub(crate) async fn end_sessions(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let db = call.database().await?;
    administration::end_sessions(&call.context(&db), caller, id).await?;
    Ok(done())
}

/// `GET /admin/audit-logs`
pub(crate) async fn list_audit_logs(call: &Call<'_>, _: &Caller) -> Result<Reply, Error> {
    let query: AuditLogsQuery = call.query()?;
    let db = call.database().await?;
    let page = administration::list_audit_logs(&call.context(&db), &query).await?;
    Ok(json(StatusCode::OK, &AuditLogPageReply::from(page)))
}
