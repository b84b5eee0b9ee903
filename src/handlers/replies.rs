//! What replies say, field by field. Their comments are the text of the OpenAPI document.

use lanterne_core::accounts::TokenPair;
use lanterne_core::accounts::administration::{AuditPage, UserPage};
use lanterne_core::audit::Record;
use lanterne_core::sessions::Session;
use lanterne_core::users::User;
use serde::Serialize;
use utoipa::ToSchema;

/// An account.
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

/// A session: everything from a login on, with all the refreshes after it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionReply {
    /// Stays the same when the session is refreshed.
    #[schema(minimum = 1, examples(1))]
    id: i64,
    /// When it began, with a login; in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    created_at: String,
    /// When it was last refreshed, or began; in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:25:00.123456Z"))]
    last_used_at: String,
    /// When it ends if it is not refreshed; in UTC.
    #[schema(format = DateTime, examples("2026-02-07T12:25:00.123456Z"))]
    expires_at: String,
    /// The address that it was last refreshed from; `null` if none is known.
    #[schema(required, examples("203.0.113.9"))]
    ip_address: Option<String>,
    /// The program that did so, as it calls itself; `null` if it does not.
    #[schema(required, examples("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))]
    user_agent: Option<String>,
    /// Whether this very request came from it.
    #[schema(examples(true))]
    current: bool,
}

/// Some of the accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPageReply {
    /// The accounts, by id.
    items: Vec<UserReply>,
    /// How many there are on all pages together.
    #[schema(minimum = 0, examples(1))]
    total: i64,
    /// How many were asked for.
    #[schema(minimum = 1, maximum = 200, examples(50))]
    limit: i64,
    /// After how many.
    #[schema(minimum = 0, examples(0))]
    offset: i64,
}

/// A line of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLogReply {
    /// A later line has a greater one.
    #[schema(minimum = 1, examples(42))]
    id: i64,
    /// The account that did it, or that somebody tried to log in to; `null` if none is known. It may be gone by now.
    #[schema(required, examples(1))]
    user_id: Option<i64>,
    /// What was done, or refused: then `details` begins with `Refused`.
    #[schema(examples("user_update"))]
    action: String,
    /// The kind of thing that it was done to: `user` or `session`.
    #[schema(examples("user"))]
    resource: String,
    /// The id of that thing, if it is known.
    #[schema(required, examples("3"))]
    resource_id: Option<String>,
    /// A sentence for people.
    #[schema(required, examples("User updated: user@example.com, active: false"))]
    details: Option<String>,
    /// Where the request came from; `null` for what a command or the Python server did.
    #[schema(required, examples("203.0.113.9"))]
    ip_address: Option<String>,
    /// The program that sent it, as it calls itself.
    #[schema(required, examples("curl/8.14.1"))]
    user_agent: Option<String>,
    /// When it was asked for, in UTC.
    #[schema(format = DateTime, examples("2026-01-31T12:00:00.123456Z"))]
    created_at: String,
}

/// Some lines of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLogPageReply {
    /// The lines, the newest first.
    items: Vec<AuditLogReply>,
    /// What to send as `before` to get the next page; `null` on the last one.
    #[schema(required, examples(42))]
    next_before: Option<i64>,
}

impl SessionReply {
    /// `current_id` is that of the session that asks.
    pub(crate) fn new(session: Session, current_id: i64) -> Self {
        Self {
            id: session.id,
            created_at: session.started_at.to_json(),
            last_used_at: session.last_used_at.to_json(),
            expires_at: session.expires_at.to_json(),
            ip_address: session.client.address,
            user_agent: session.client.agent,
            current: session.id == current_id,
        }
    }
}

impl UserPageReply {
    /// A page with what was asked for.
    pub(crate) fn new(page: UserPage, limit: i64, offset: i64) -> Self {
        Self { items: page.items.into_iter().map(UserReply::from).collect(), total: page.total, limit, offset }
    }
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
            user_agent: record.client.agent,
            created_at: record.created_at.to_json(),
        }
    }
}

impl From<AuditPage> for AuditLogPageReply {
    fn from(page: AuditPage) -> Self {
        let items = page.items.into_iter().map(AuditLogReply::from).collect();
        Self { items, next_before: page.next_before }
    }
}
