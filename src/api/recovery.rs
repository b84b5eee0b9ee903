//! `/auth/password` and `/auth/email`: forgotten passwords, and the verification of addresses.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::{administration, recovery};
use lanterne_core::config::Config;
use lanterne_core::email::Email;
use lanterne_core::error::Error as DomainError;
use lanterne_core::mail::Issued;
use lanterne_core::secret::NewPassword;
use lanterne_core::throttle::RECOVERIES;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{may_exceed, rate};
use crate::call::Call;
use crate::docs::{Operation, Tag, span};
use crate::error::{Error, guessable};
use crate::input::{OneTimeToken, request};
use crate::reply::{Accepted, Reply, json, no_content};

/// The reply to everybody who asks for a message.
const ON_ITS_WAY: &str = "If there is such an account, a message is on its way.";

request! {
    /// The address of an account.
    pub(crate) struct AddressRequest {
        /// The address of the account.
        pub(crate) email: Email,
    }
}

/// `POST /auth/password/forgot`
pub(crate) async fn forgot_password(call: &Call<'_>) -> Result<Reply, Error> {
    let AddressRequest { email } = call.body()?;
    recovery::forgot_password(&call.context().await?, &email).await?;
    Ok(json(StatusCode::ACCEPTED, &Accepted::new(ON_ITS_WAY)))
}

pub(crate) fn describe_forgot_password(config: &Config) -> Operation {
    let (rate, ttl) = (rate(config, &RECOVERIES), span(config.mail.password_reset_ttl));
    let operation = Operation::new("forgot_password", Tag::Authentication, "Ask for a new password")
        .about(&format!(
            "Sends a message with a token for `POST /auth/password/reset`, which is valid for {ttl} and ends the former one. An \
             active account gets at most 3 of them an hour.\n\n\
             Everybody gets the same reply after the same time, so that nobody can find out who has an account.{rate}"
        ))
        .body::<AddressRequest>(r#"{"email": "nobody"}"#)
        .replies::<Accepted>(StatusCode::ACCEPTED, "The request is accepted, for any address.");
    may_exceed(operation, config, &RECOVERIES).may_fail()
}

request! {
    /// A new password, and the token that permits it.
    pub(crate) struct ResetPasswordRequest {
        /// The token of the message, or of an administrator.
        pub(crate) token: OneTimeToken,
        /// The password from now on. All characters are allowed, and all count.
        pub(crate) new_password: NewPassword,
    }
}

/// `POST /auth/password/reset`
pub(crate) async fn reset_password(call: &Call<'_>) -> Result<Reply, Error> {
    let ResetPasswordRequest { token, new_password } = call.body()?;
    let reset = recovery::reset_password(&call.context().await?, &token.0, &new_password).await;
    reset.map_err(guessable("new_password"))?;
    Ok(no_content())
}

pub(crate) fn describe_reset_password(config: &Config) -> Operation {
    let rate = rate(config, &RECOVERIES);
    let operation = Operation::new("reset_password", Tag::Authentication, "Set a new password")
        .about(&format!(
            "Sets a new password with a token, which works once. Ends all sessions of the account, and forgets its failed \
             logins. A token that was sent to the address of the account verifies the address as well.{rate}"
        ))
        .body::<ResetPasswordRequest>(r#"{"token": 12345, "new_password": "short"}"#)
        .may_refuse_password(config, "new_password")
        .replies_empty("The password is set, and all sessions have ended.")
        .fails("The token is unknown, used or expired", DomainError::OneTimeToken);
    may_exceed(operation, config, &RECOVERIES).may_fail()
}

/// `POST /auth/email/verification`
pub(crate) async fn request_verification(call: &Call<'_>) -> Result<Reply, Error> {
    let AddressRequest { email } = call.body()?;
    recovery::request_verification(&call.context().await?, &email).await?;
    Ok(json(StatusCode::ACCEPTED, &Accepted::new(ON_ITS_WAY)))
}

pub(crate) fn describe_request_verification(config: &Config) -> Operation {
    let (rate, ttl) = (rate(config, &RECOVERIES), span(config.mail.email_verification_ttl));
    let operation = Operation::new("request_verification", Tag::Authentication, "Ask to verify an address")
        .about(&format!(
            "Sends a message with a token for `POST /auth/email/verify` again, which is valid for {ttl} and ends the former one: \
             to an active account whose address is not verified, at most 3 an hour. Needs no login, and replies the same to \
             everybody after the same time.{rate}"
        ))
        .body::<AddressRequest>(r#"{"email": "nobody"}"#)
        .replies::<Accepted>(StatusCode::ACCEPTED, "The request is accepted, for any address.");
    may_exceed(operation, config, &RECOVERIES).may_fail()
}

request! {
    /// The token of a message.
    pub(crate) struct VerifyEmailRequest {
        /// The token of the message.
        pub(crate) token: OneTimeToken,
    }
}

/// `POST /auth/email/verify`
pub(crate) async fn verify_email(call: &Call<'_>) -> Result<Reply, Error> {
    let VerifyEmailRequest { token } = call.body()?;
    recovery::verify_email(&call.context().await?, &token.0).await?;
    Ok(no_content())
}

pub(crate) fn describe_verify_email(config: &Config) -> Operation {
    let rate = rate(config, &RECOVERIES);
    let operation = Operation::new("verify_email", Tag::Authentication, "Verify an address")
        .about(&format!(
            "Verifies the address that the token was sent to: that of the account, or the one that it changes to from now on. \
             The token works once.{rate}"
        ))
        .body::<VerifyEmailRequest>(r#"{"token": 12345}"#)
        .replies_empty("The address is verified.")
        .fails("The token is unknown, used or expired", DomainError::OneTimeToken)
        .fails("Another account has got the address meanwhile", DomainError::EmailTaken);
    may_exceed(operation, config, &RECOVERIES).may_fail()
}

/// `POST /users/me/email/verification`
pub(crate) async fn resend_verification(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    recovery::resend_verification(&call.context().await?, caller).await?;
    Ok(json(StatusCode::ACCEPTED, &Accepted::new("A message is on its way.")))
}

pub(crate) fn describe_resend_verification(config: &Config) -> Operation {
    let ttl = span(config.mail.email_verification_ttl);
    Operation::new("resend_verification", Tag::Me, "Verify your address")
        .about(&format!(
            "Sends a message with a token for `POST /auth/email/verify` again, which is valid for {ttl} and ends the former one: \
             to the address that you change to, or else to your own. At most 3 an hour."
        ))
        .replies::<Accepted>(StatusCode::ACCEPTED, "A message is on its way.")
        .fails("There is no address to verify", DomainError::EmailVerified)
        .fails("There were 3 messages within an hour", DomainError::Throttled(60))
        .may_fail()
}

/// A token to set a new password.
#[derive(Serialize, ToSchema)]
struct PasswordResetReply {
    /// For `POST /auth/password/reset`. Works once.
    #[schema(examples("iKBjYGUTLG3KmtYBnYI8lRpyu1JBb5C6L1f0oz1nSWI"))]
    token: String,
    /// The page of the app with the token; `null` if `password_reset_url` is not configured.
    #[schema(required, examples("https://app.example.org/reset?token=iKBjYGUTLG3KmtYBnYI8lRpyu1JBb5C6L1f0oz1nSWI"))]
    url: Option<String>,
    /// When the token expires, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:30:00.123456Z"))]
    expires_at: String,
}

/// `POST /admin/users/{id}/password-reset`
pub(crate) async fn issue_password_reset(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    let issued = administration::issue_password_reset(&call.context().await?, caller, id).await?;
    let Issued { token, url, expires_at } = issued;
    let reply = PasswordResetReply { token: token.expose().to_owned(), url, expires_at: expires_at.to_rfc3339() };
    Ok(json(StatusCode::CREATED, &reply))
}

pub(crate) fn describe_issue_password_reset(config: &Config) -> Operation {
    let ttl = span(config.mail.password_reset_ttl);
    Operation::new("issue_password_reset", Tag::Admin, "Create a token for a new password")
        .about(&format!(
            "Creates a token for `POST /auth/password/reset`, to hand over by any way there is. It is valid for {ttl} and ends \
             the former one. The password stays valid until it is set anew."
        ))
        .path_id("The id of the account.")
        .replies::<PasswordResetReply>(StatusCode::CREATED, "The token, shown this once.")
        .fails("There is no such account", DomainError::UserNotFound)
        .may_fail()
}
