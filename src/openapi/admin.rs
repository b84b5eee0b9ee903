//! `/admin` for its reader.

use http::StatusCode;
use lanterne_core::error::Error;
use lanterne_core::requests::{AuditLogsQuery, CreateUserRequest, UpdateUserRequest, UsersQuery};

use super::{Operation, Tag, operation};
use crate::handlers::{AuditLogPageReply, UserPageReply, UserReply};

const USER_ID: &str = "The account's id.";

/// `GET /admin/users`
pub(crate) fn list_users() -> Operation {
    operation("list_users", Tag::Admin, "List accounts")
        .about(
            "Accounts by id, a page at a time, with how many there are. An account that is made meanwhile comes last, so \
             that no page has a gap or a repeat because of it.",
        )
        .asks::<UsersQuery>("limit=0&offset=-1&is_active=perhaps")
        .replies::<UserPageReply>(StatusCode::OK, "A page of accounts.")
        .may_break()
}

/// `POST /admin/users`
pub(crate) fn create_user() -> Operation {
    operation("create_user", Tag::Admin, "Make an account for somebody")
        .about("As registering, but the account may be an administrator's, or switched off until later.")
        .reads::<CreateUserRequest>(r#"{"email": "nobody", "password": "short", "is_admin": "yes"}"#)
        .replies::<UserReply>(StatusCode::CREATED, "The account that was made.")
        .fails("Another account has this address", Error::EmailTaken)
        .may_break()
}

/// `GET /admin/users/{id}`
pub(crate) fn show_user() -> Operation {
    operation("show_user", Tag::Admin, "See an account")
        .about("One account, whoever it belongs to.")
        .takes_id(USER_ID)
        .replies::<UserReply>(StatusCode::OK, "The account.")
        .fails("No such account", Error::NoUser)
        .may_break()
}

/// `PATCH /admin/users/{id}`
pub(crate) fn update_user() -> Operation {
    operation("update_user", Tag::Admin, "Change an account")
        .about(
            "Changes what is named and leaves the rest as it is. Switching an account off ends its sessions. What its \
             owner may do changes with their next request. The last active administrator can neither be switched off nor \
             lose the rights.",
        )
        .takes_id(USER_ID)
        .reads::<UpdateUserRequest>(r#"{"email": "nobody", "is_active": "no"}"#)
        .replies::<UserReply>(StatusCode::OK, "The account as it is now.")
        .fails("No such account", Error::NoUser)
        .fails("Another account has this address", Error::EmailTaken)
        .fails("There would be no active administrator any more", Error::LastAdmin)
        .may_break()
}

/// `DELETE /admin/users/{id}`
pub(crate) fn delete_user() -> Operation {
    operation("delete_user", Tag::Admin, "Delete an account")
        .about(
            "Deletes an account and its sessions, for good. Its id is never given to another one. What it did stays in the \
             audit log. The last active administrator cannot be deleted.",
        )
        .takes_id(USER_ID)
        .replies_nothing("The account is deleted.")
        .fails("No such account", Error::NoUser)
        .fails("There would be no active administrator any more", Error::LastAdmin)
        .may_break()
}

/// `DELETE /admin/users/{id}/sessions`
pub(crate) fn end_sessions() -> Operation {
    operation("end_sessions", Tag::Admin, "End all sessions of an account")
        .about("Logs somebody out everywhere. They can log in again, unless their account is switched off as well.")
        .takes_id(USER_ID)
        .replies_nothing("The account has no session any more.")
        .fails("No such account", Error::NoUser)
        .may_break()
}

/// `GET /admin/audit-logs`
pub(crate) fn list_audit_logs() -> Operation {
    operation("list_audit_logs", Tag::Admin, "Read the audit log")
        .about(
            "What was done and what was refused, the newest first, a page at a time. For the next page send the \
             `next_before` of the last one as `before`: lines that are written meanwhile neither shift nor repeat any.\n\n\
             Actions are `register`, `login`, `login_failed`, `login_throttled`, `refresh`, `refresh_reuse`, `logout`, \
             `logout_all`, `password_change`, `email_change`, `account_delete`, `session_revoke`, `user_create`, \
             `user_update` and `user_delete`.",
        )
        .asks::<AuditLogsQuery>("user_id=me&since=yesterday&limit=1000")
        .replies::<AuditLogPageReply>(StatusCode::OK, "A page of the log.")
        .may_break()
}
