//! `/auth`: registration, login, refresh and logout.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::{TokenPair, login, own_sessions, profile, refresh};
use lanterne_core::config::{Config, EmailVerification};
use lanterne_core::email::Email;
use lanterne_core::error::{Error as DomainError, RefreshTokenError};
use lanterne_core::secret::NewPassword;
use lanterne_core::throttle::{ADDRESS, AttemptLimit, PAIR, PAUSE_MAX, PAUSE_MIN, REFRESHES, REGISTRATIONS};
use lanterne_core::users::User;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::docs::{Operation, Tag, span};
use crate::error::{Error, guessable};
use crate::input::{Password, Token, request};
use crate::reply::{Reply, json, no_content};

request! {
    /// A new account.
    pub(crate) struct RegisterRequest {
        /// The address to log in with. No other account can have it.
        pub(crate) email: Email,
        /// The password to log in with. All characters are allowed, and all count.
        pub(crate) password: NewPassword,
    }
}

/// A new account.
#[derive(Serialize, ToSchema)]
struct RegisteredReply {
    /// Never changes and is never reused.
    #[schema(minimum = 1, examples(1))]
    id: i64,
    /// The address in its normal form, with an international domain in Unicode.
    #[schema(format = IdnEmail, examples("user@example.com"))]
    email: String,
    /// Whether the account can log in.
    #[schema(examples(true))]
    is_active: bool,
    /// Whether the account is an administrator.
    #[schema(examples(false))]
    is_admin: bool,
    /// When the account was created, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    created_at: String,
}

/// `POST /auth/register`
pub(crate) async fn register(call: &Call<'_>) -> Result<Reply, Error> {
    let RegisterRequest { email, password } = call.body()?;
    let registered = profile::register(&call.context().await?, &email, &password).await;
    let User { id, email, is_active, is_admin, created_at, .. } = registered.map_err(guessable("password"))?;
    let reply = RegisteredReply { id, email, is_active, is_admin, created_at: created_at.to_rfc3339() };
    Ok(json(StatusCode::CREATED, &reply))
}

pub(crate) fn describe_register(config: &Config) -> Operation {
    let rate = rate(config, &REGISTRATIONS);
    let verification = match config.mail.email_verification {
        EmailVerification::Off => "",
        EmailVerification::On => "\n\nA message with a token for `POST /auth/email/verify` goes to the address.",
        EmailVerification::Required => {
            "\n\nA message with a token for `POST /auth/email/verify` goes to the address: the account can log in after that."
        }
    };
    let operation = Operation::new("register", Tag::Authentication, "Register an account")
        .about(&format!(
            "Creates an active account without administrator's rights. It does not log in.\n\n\
             The address must be able to receive mail: special-use domains such as `.test` or `.local` are refused. It is \
             stored in its normal form, which the reply shows. Of simultaneous requests for one address, one \
             succeeds.{verification}{rate}"
        ))
        .body::<RegisterRequest>(r#"{"email": "nobody", "password": "short"}"#)
        .may_refuse_password(config, "password")
        .replies::<RegisteredReply>(StatusCode::CREATED, "The new account.")
        .fails("The address is taken", DomainError::EmailTaken);
    let operation = if config.registration {
        operation
    } else {
        operation.fails("Nobody can register", DomainError::RegistrationClosed)
    };
    may_exceed(operation, config, &REGISTRATIONS).may_fail()
}

request! {
    /// The credentials of an account.
    pub(crate) struct LoginRequest {
        /// The address of the account.
        pub(crate) email: Email,
        /// The password of the account.
        pub(crate) password: Password,
    }
}

/// A pair of tokens, as in OAuth 2.0 (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
pub(super) struct TokenReply {
    /// Authorizes requests until it expires.
    #[schema(examples("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."))]
    access_token: String,
    /// Can be exchanged for the next pair of tokens, once, until it expires.
    #[schema(examples("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."))]
    refresh_token: String,
    /// Send the access token as `Authorization: Bearer ...`.
    #[schema(examples("bearer"))]
    token_type: &'static str,
}

impl From<TokenPair> for TokenReply {
    fn from(pair: TokenPair) -> Self {
        Self { access_token: pair.access_token, refresh_token: pair.refresh_token, token_type: "bearer" }
    }
}

/// `POST /auth/login`
pub(crate) async fn login(call: &Call<'_>) -> Result<Reply, Error> {
    let LoginRequest { email, password } = call.body()?;
    let pair = login::login(&call.context().await?, &email, &password.0).await?;
    Ok(json(StatusCode::OK, &TokenReply::from(pair)))
}

pub(crate) fn describe_login(config: &Config) -> Operation {
    let (access, refresh) = (span(config.access_ttl), span(config.refresh_ttl));
    let (pair, pair_window) = (PAIR.attempts, span(PAIR.window));
    let (address, address_window) = (ADDRESS.attempts, span(ADDRESS.window));
    let (pause_min, pause_max) = (span(PAUSE_MIN), span(PAUSE_MAX));
    let throttle = if config.throttle {
        format!(
            "\n\nAfter {pair} failures at one account from one address within {pair_window}, or {address} failures from one \
             address within {address_window}, no password is checked for {pause_min}. Each further failure doubles this \
             pause, up to {pause_max}."
        )
    } else {
        String::new()
    };
    let operation = Operation::new("login", Tag::Authentication, "Log in")
        .about(&format!(
            "Opens a session and returns its tokens. Send the access token, which is valid for {access}, in the header \
             `Authorization: Bearer ...` of later requests. Exchange the refresh token, which is valid for {refresh}, at \
             `POST /auth/refresh`.\n\n\
             An unknown address and a wrong password get the same reply after the same time, so that nobody can find out \
             who has an account.{throttle}"
        ))
        .body::<LoginRequest>(r#"{"email": "nobody", "password": 12345}"#)
        .replies::<TokenReply>(StatusCode::OK, "The tokens of the new session.")
        .fails("The address or the password is wrong", DomainError::InvalidCredentials)
        .fails("The password is right, but the account is inactive", DomainError::AccountInactive);
    let operation = if config.mail.email_verification == EmailVerification::Required {
        operation.fails("The password is right, but the address is not verified", DomainError::EmailNotVerified)
    } else {
        operation
    };
    operation.may_be_throttled(config).may_fail()
}

request! {
    /// A refresh token.
    pub(crate) struct RefreshRequest {
        /// The refresh token of the last login or refresh.
        pub(crate) refresh_token: Token,
    }
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(call: &Call<'_>) -> Result<Reply, Error> {
    let RefreshRequest { refresh_token } = call.body()?;
    let pair = refresh::refresh(&call.context().await?, &refresh_token.0).await?;
    Ok(json(StatusCode::OK, &TokenReply::from(pair)))
}

pub(crate) fn describe_refresh(config: &Config) -> Operation {
    let rate = rate(config, &REFRESHES);
    let (race, end) = (span(refresh::RACE), span(config.session_absolute));
    let retry = if config.refresh_retry.is_zero() {
        String::new()
    } else {
        let retry = span(config.refresh_retry);
        format!(
            " Within {retry} of its use, and until the new refresh token is used, the same token gets the same pair again: \
             the reply may have been lost."
        )
    };
    let operation = Operation::new("refresh", Tag::Authentication, "Refresh the tokens")
        .about(&format!(
            "Exchanges a refresh token for a new pair of tokens. A refresh token works once: of simultaneous requests with \
             the same one, exactly one succeeds; the others must use its tokens or log in again. Reuse of a token \
             more than {race} after its use is treated as theft and ends the session.{retry}\n\n\
             A session ends {end} after its login at the latest, however often it is refreshed.{rate}"
        ))
        .body::<RefreshRequest>(r#"{"refresh_token": null}"#)
        .replies::<TokenReply>(StatusCode::OK, "The next pair of tokens.")
        .fails("The token is malformed, expired, or not signed by this server", RefreshTokenError::Invalid)
        .fails("It is an access token", RefreshTokenError::WrongType)
        .fails("It names no account or no session", RefreshTokenError::Malformed)
        .fails("It was used before, or its session has ended", RefreshTokenError::Spent)
        .fails("Its session has expired", RefreshTokenError::SessionExpired)
        .fails("Its account is deleted or inactive", RefreshTokenError::NoActiveUser);
    may_exceed(operation, config, &REFRESHES).may_fail()
}

/// `POST /auth/logout`
pub(crate) async fn logout(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    own_sessions::logout(&call.context().await?, caller).await?;
    Ok(no_content())
}

pub(crate) fn describe_logout(_: &Config) -> Operation {
    Operation::new("logout", Tag::Authentication, "Log out")
        .about("Ends the session of the access token. All its tokens are refused from now on.")
        .replies_empty("The session has ended.")
        .may_fail()
}

/// `POST /auth/logout-all`
pub(crate) async fn logout_all(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    own_sessions::logout_all(&call.context().await?, caller).await?;
    Ok(no_content())
}

pub(crate) fn describe_logout_all(_: &Config) -> Operation {
    Operation::new("logout_all", Tag::Authentication, "Log out everywhere")
        .about("Ends all sessions of the account, including the calling one.")
        .replies_empty("All sessions have ended.")
        .may_fail()
}

/// Describes the limit of a network; empty without throttle.
pub(super) fn rate(config: &Config, limit: &AttemptLimit) -> String {
    if !config.throttle {
        return String::new();
    }
    let (attempts, window) = (limit.attempts, span(limit.window));
    format!("\n\nAt most {attempts} requests from one address are accepted within {window}.")
}

/// Documents the 429 of a route with such a limit.
pub(super) fn may_exceed(operation: Operation, config: &Config, limit: &AttemptLimit) -> Operation {
    if !config.throttle {
        return operation;
    }
    let error = DomainError::Throttled(limit.window.as_secs());
    operation.fails("There were too many requests from this address", error)
}
