//! `/users/me`: the caller's own account and sessions.

use http::StatusCode;
use lanterne_core::accounts::access::Caller;
use lanterne_core::accounts::own_sessions;
use lanterne_core::accounts::profile::{self, CallingSession, EmailChange};
use lanterne_core::config::{Config, EmailVerification};
use lanterne_core::email::Email;
use lanterne_core::error::Error as DomainError;
use lanterne_core::secret::NewPassword;
use lanterne_core::sessions::Session;
use lanterne_core::users::User;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::TokenReply;
use crate::call::Call;
use crate::docs::{Operation, Tag};
use crate::error::{Error, guessable};
use crate::input::{Flag, Password, request};
use crate::reply::{Accepted, Reply, json, no_content};

/// An account.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserReply {
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
    /// Whether the address is verified.
    #[schema(examples(true))]
    email_verified: bool,
}

impl From<User> for UserReply {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            is_active: user.is_active,
            is_admin: user.is_admin,
            created_at: user.created_at.to_rfc3339(),
            email_verified: user.email_verified,
        }
    }
}

/// `GET /users/me`
pub(crate) async fn show(_: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    Ok(json(StatusCode::OK, &UserReply::from(caller.user.clone())))
}

pub(crate) fn describe_show(_: &Config) -> Operation {
    Operation::new("show_me", Tag::Me, "Show your account")
        .about("Returns the account of the access token.")
        .replies::<UserReply>(StatusCode::OK, "Your account.")
        .may_fail()
}

request! {
    /// A new address.
    pub(crate) struct ChangeEmailRequest {
        /// The address to log in with from now on. No other account can have it.
        pub(crate) email: Email,
        /// The password of the account.
        pub(crate) current_password: Password,
    }
}

/// `PATCH /users/me`
pub(crate) async fn change_email(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let ChangeEmailRequest { email, current_password } = call.body()?;
    let change = profile::change_email(&call.context().await?, caller, &current_password.0, &email).await?;
    Ok(match change {
        EmailChange::Done(user) => json(StatusCode::OK, &UserReply::from(user)),
        EmailChange::Pending => json(StatusCode::ACCEPTED, &Accepted::new(PENDING)),
    })
}

/// The reply to a change of address that has to be verified.
const PENDING: &str = "The address changes when it is verified: a message is on its way.";

pub(crate) fn describe_change_email(config: &Config) -> Operation {
    let is_verified = config.mail.email_verification != EmailVerification::Off;
    let (told, verified) = (
        if config.mail.is_on() { " The former address is told." } else { "" },
        if is_verified {
            "\n\nThe new address counts when it is verified: it gets a message with a token for `POST /auth/email/verify`, at \
             most 3 an hour. Your present address is accepted without a message."
        } else {
            ""
        },
    );
    let mut operation = Operation::new("change_email", Tag::Me, "Change your address")
        .about(&format!(
            "Changes the address to log in with. Asks for the password, so that a stolen token is not enough to take the \
             account over. Access tokens issued before contain the old address until they expire.{told}{verified}"
        ))
        .body::<ChangeEmailRequest>(r#"{"email": "nobody", "current_password": 12345}"#)
        .replies::<UserReply>(StatusCode::OK, "The account with its new address.");
    if is_verified {
        operation = operation
            .replies::<Accepted>(StatusCode::ACCEPTED, "The address changes when it is verified.")
            .fails("There were 3 messages within an hour", DomainError::Throttled(60));
    }
    operation
        .fails("The address is taken", DomainError::EmailTaken)
        .fails("The password is wrong", DomainError::WrongPassword)
        .may_be_throttled(config)
        .may_fail()
}

request! {
    /// The confirmation of a deletion.
    pub(crate) struct DeleteAccountRequest {
        /// The password of the account.
        pub(crate) current_password: Password,
    }
}

/// `DELETE /users/me`
pub(crate) async fn delete(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let DeleteAccountRequest { current_password } = call.body()?;
    profile::delete(&call.context().await?, caller, &current_password.0).await?;
    Ok(no_content())
}

pub(crate) fn describe_delete(config: &Config) -> Operation {
    Operation::new("delete_me", Tag::Me, "Delete your account")
        .about(
            "Deletes the account and its sessions permanently. Its id is never reused, and its audit rows stay. The last \
             active administrator cannot be deleted.",
        )
        .body::<DeleteAccountRequest>(r#"{"current_password": 12345}"#)
        .replies_empty("The account is deleted.")
        .fails("The password is wrong", DomainError::WrongPassword)
        .may_be_throttled(config)
        .fails("No active administrator would be left", DomainError::LastAdmin)
        .fails("Other data refers to the account", DomainError::UserReferenced)
        .may_fail()
}

request! {
    /// A new password.
    pub(crate) struct ChangePasswordRequest {
        /// The present password of the account.
        pub(crate) current_password: Password,
        /// The password from now on. All characters are allowed, and all count.
        pub(crate) new_password: NewPassword,
    }
}

request! {
    /// What else a change of the password does.
    pub(crate) struct ChangePasswordQuery {
        /// Whether to end the calling session as well and to begin a new one; false if left out.
        pub(crate) rotate: Option<Flag>,
    }
}

/// `POST /users/me/password`
pub(crate) async fn change_password(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let ChangePasswordQuery { rotate } = call.query()?;
    let ChangePasswordRequest { current_password, new_password } = call.body()?;
    let session = if rotate.is_some_and(|flag| flag.0) { CallingSession::Replace } else { CallingSession::Keep };
    let context = call.context().await?;
    let changed = profile::change_password(&context, caller, &current_password.0, &new_password, session).await;
    let pair = changed.map_err(guessable("new_password"))?;
    Ok(pair.map_or_else(no_content, |pair| json(StatusCode::OK, &TokenReply::from(pair))))
}

pub(crate) fn describe_change_password(config: &Config) -> Operation {
    Operation::new("change_password", Tag::Me, "Change your password")
        .about(
            "Changes the password and ends all sessions but the calling one. With `rotate=true` that one ends as well: the \
             reply has the tokens of a new session, and a copy of the former tokens is worthless.",
        )
        .query::<ChangePasswordQuery>("rotate=perhaps")
        .body::<ChangePasswordRequest>(r#"{"current_password": 12345, "new_password": "short"}"#)
        .may_refuse_password(config, "new_password")
        .replies::<TokenReply>(StatusCode::OK, "With `rotate=true`: the tokens of the new session.")
        .replies_empty("The password is changed, and all other sessions have ended.")
        .fails("The password is wrong", DomainError::WrongPassword)
        .may_be_throttled(config)
        .may_fail()
}

/// A session: a login with all its refreshes.
#[derive(Serialize, ToSchema)]
struct SessionReply {
    /// Stays the same through all refreshes.
    #[schema(minimum = 1, examples(1))]
    id: i64,
    /// The time of the login, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    created_at: String,
    /// The time of the last refresh, or of the login; in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:25:00.123456Z"))]
    last_used_at: String,
    /// When the session expires unless it is refreshed, in UTC.
    #[schema(format = DateTime, examples("2026-02-07T12:25:00.123456Z"))]
    expires_at: String,
    /// The address of the last refresh, or of the login; `null` if unknown.
    #[schema(required, examples("203.0.113.9"))]
    ip_address: Option<String>,
    /// The `User-Agent` of the last refresh, or of the login; `null` if unknown.
    #[schema(required, examples("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))]
    user_agent: Option<String>,
    /// Whether this is the calling session.
    #[schema(examples(true))]
    current: bool,
}

impl SessionReply {
    fn new(session: Session, current_id: i64) -> Self {
        Self {
            id: session.id,
            created_at: session.started_at.to_rfc3339(),
            last_used_at: session.last_used_at.to_rfc3339(),
            expires_at: session.expires_at.to_rfc3339(),
            ip_address: session.client.address,
            user_agent: session.client.user_agent,
            current: session.id == current_id,
        }
    }
}

/// `GET /users/me/sessions`
pub(crate) async fn list_sessions(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let sessions = own_sessions::list(&call.context().await?, caller).await?;
    let sessions = sessions.into_iter().map(|session| SessionReply::new(session, caller.session_id));
    Ok(json(StatusCode::OK, &sessions.collect::<Vec<_>>()))
}

pub(crate) fn describe_list_sessions(_: &Config) -> Operation {
    Operation::new("list_sessions", Tag::Me, "List your sessions")
        .about("Lists the valid sessions of the account, latest login first.")
        .replies_list::<SessionReply>(StatusCode::OK, "Your sessions.")
        .may_fail()
}

/// `DELETE /users/me/sessions/{id}`
pub(crate) async fn end_session(call: &Call<'_>, caller: &Caller) -> Result<Reply, Error> {
    let id = call.id()?;
    own_sessions::revoke(&call.context().await?, caller, id).await?;
    Ok(no_content())
}

pub(crate) fn describe_end_session(_: &Config) -> Operation {
    Operation::new("end_session", Tag::Me, "End one of your sessions")
        .about("Ends a session, for example that of a lost device. All its tokens are refused from now on.")
        .path_id("The id of the session.")
        .replies_empty("The session has ended.")
        .fails("You have no valid session with this id", DomainError::SessionNotFound)
        .may_fail()
}
