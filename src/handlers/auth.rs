//! `/auth`: register, log in, refresh, log out.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::{login, own_sessions, refresh, registration};
use lanterne_core::error::Error;
use lanterne_core::requests::{LoginRequest, RefreshRequest, RegisterRequest};

use super::{TokenReply, UserReply};
use crate::call::Call;
use crate::reply::{Reply, done, json};

/// `POST /auth/register`
pub(crate) async fn register(call: &Call<'_>) -> Result<Reply, Error> {
    let request: RegisterRequest = call.body()?;
    let db = call.database().await?;
    let user = registration::register(&call.context(&db), request).await?;
    Ok(json(StatusCode::CREATED, &UserReply::from(user)))
}

/// `POST /auth/login`
pub(crate) async fn login(call: &Call<'_>) -> Result<Reply, Error> {
    let request: LoginRequest = call.body()?;
    let db = call.database().await?;
    let pair = login::login(&call.context(&db), request).await?;
    Ok(json(StatusCode::OK, &TokenReply::from(pair)))
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(call: &Call<'_>) -> Result<Reply, Error> {
    let request: RefreshRequest = call.body()?;
    let db = call.database().await?;
    let pair = refresh::refresh(&call.context(&db), request).await?;
    Ok(json(StatusCode::OK, &TokenReply::from(pair)))
}

/// `POST /auth/logout`
pub(crate) async fn logout(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let db = call.database().await?;
    own_sessions::logout(&call.context(&db), caller).await?;
    Ok(done())
}

/// `POST /auth/logout-all`
pub(crate) async fn logout_all(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let db = call.database().await?;
    own_sessions::logout_all(&call.context(&db), caller).await?;
    Ok(done())
}
