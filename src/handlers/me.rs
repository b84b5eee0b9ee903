//! `/users/me`: one's own account and sessions.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::{own_sessions, profile};
use lanterne_core::error::Error;
use lanterne_core::requests::{ChangeEmailRequest, ChangePasswordRequest, DeleteAccountRequest};

use super::{SessionReply, UserReply};
use crate::call::Call;
use crate::reply::{Reply, done, json};

/// `GET /users/me`
pub(crate) async fn show(_: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    Ok(json(StatusCode::OK, &UserReply::from(caller.user.clone())))
}

/// `PATCH /users/me`
pub(crate) async fn change_email(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let request: ChangeEmailRequest = call.body()?;
    let db = call.database().await?;
    let user = profile::change_email(&call.context(&db), caller, request).await?;
    Ok(json(StatusCode::OK, &UserReply::from(user)))
}

/// `DELETE /users/me`
pub(crate) async fn delete(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let request: DeleteAccountRequest = call.body()?;
    let db = call.database().await?;
    profile::delete(&call.context(&db), caller, request).await?;
    Ok(done())
}

/// `POST /users/me/password`
pub(crate) async fn change_password(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let request: ChangePasswordRequest = call.body()?;
    let db = call.database().await?;
    profile::change_password(&call.context(&db), caller, request).await?;
    Ok(done())
}

/// `GET /users/me/sessions`
pub(crate) async fn list_sessions(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let db = call.database().await?;
    let sessions = own_sessions::list(&call.context(&db), caller).await?;
    let sessions = sessions.into_iter().map(|session| SessionReply::new(session, caller.session_id));
    Ok(json(StatusCode::OK, &sessions.collect::<Vec<_>>()))
}

/// `DELETE /users/me/sessions/{id}`
pub(crate) async fn end_session(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let db = call.database().await?;
    own_sessions::revoke(&call.context(&db), caller, id).await?;
    Ok(done())
}
