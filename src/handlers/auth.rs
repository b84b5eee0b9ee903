//! `/auth`: register, log in, refresh.

use http::StatusCode;
use lanterne_core::accounts::{self, TokenPair};
use lanterne_core::error::Error;
use lanterne_core::requests::{LoginRequest, RefreshRequest, RegisterRequest};
use lanterne_core::users::User;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::reply::{Reply, json};

/// An account as its owner sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserReply {
    /// Never changes, and is never another account's.
    #[schema(minimum = 1, examples(1))]
    id: i64,
    /// The address in its normal form, with an international domain in its own script.
    #[schema(format = IdnEmail, examples("user@example.com"))]
    email: String,
    /// Whether the account can log in.
    #[schema(examples(true))]
    is_active: bool,
    /// Whether it may administer other accounts.
    #[schema(examples(false))]
    is_admin: bool,
    /// When it was made, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    created_at: String,
}

/// A pair of tokens, as OAuth 2.0 names them (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenReply {
    /// Opens protected routes until it expires, after half an hour unless the server is set otherwise.
    #[schema(examples("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."))]
    access_token: String,
    /// Buys the next pair, once, within a week unless the server is set otherwise.
    #[schema(examples("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."))]
    refresh_token: String,
    /// How to send the access token: `Authorization: Bearer ...`.
    #[schema(examples("bearer"))]
    token_type: &'static str,
}

impl From<User> for UserReply {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            is_active: user.is_active,
            is_admin: user.is_admin,
            created_at: user.created_at.to_json(),
        }
    }
}

impl From<TokenPair> for TokenReply {
    fn from(pair: TokenPair) -> Self {
        Self { access_token: pair.access_token, refresh_token: pair.refresh_token, token_type: "bearer" }
    }
}

/// `POST /auth/register`
pub(crate) async fn register(call: &Call<'_>) -> Result<Reply, Error> {
    let request: RegisterRequest = call.body()?;
    let db = call.database().await?;
    let user = accounts::register(&call.context(&db), request).await?;
    Ok(json(StatusCode::CREATED, &UserReply::from(user)))
}

/// `POST /auth/login`
pub(crate) async fn login(call: &Call<'_>) -> Result<Reply, Error> {
    let request: LoginRequest = call.body()?;
    let db = call.database().await?;
    let pair = accounts::login(&call.context(&db), request).await?;
    Ok(json(StatusCode::OK, &TokenReply::from(pair)))
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(call: &Call<'_>) -> Result<Reply, Error> {
    let request: RefreshRequest = call.body()?;
    let db = call.database().await?;
    let pair = accounts::refresh(&call.context(&db), request).await?;
    Ok(json(StatusCode::OK, &TokenReply::from(pair)))
}
