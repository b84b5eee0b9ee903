//! `/users/me` for its reader.

use http::StatusCode;
use lanterne_core::error::Error;
use lanterne_core::requests::{ChangeEmailRequest, ChangePasswordRequest, DeleteAccountRequest};

use super::{Operation, Tag, operation};
use crate::handlers::{SessionReply, UserReply};

/// `GET /users/me`
pub(crate) fn show() -> Operation {
    operation("show_me", Tag::Me, "See your account")
        .about("The account that the access token belongs to, as it is now.")
        .replies::<UserReply>(StatusCode::OK, "Your account.")
        .may_break()
}

/// `PATCH /users/me`
pub(crate) fn change_email() -> Operation {
    operation("change_email", Tag::Me, "Change your address")
        .about(
            "Gives the account another address to log in with. The password is asked for again, so that nobody can take \
             the account over with a token that was left somewhere. Access tokens that were issued before say the \
             old address until they expire.",
        )
        .reads::<ChangeEmailRequest>(r#"{"email": "nobody", "current_password": 12345}"#)
        .replies::<UserReply>(StatusCode::OK, "The account with its new address.")
        .fails("Another account has this address", Error::EmailTaken)
        .fails("Not the password of the account", Error::WrongPassword)
        .fails("Too many wrong passwords so far", Error::Throttled(30))
        .may_break()
}

/// `DELETE /users/me`
pub(crate) fn delete() -> Operation {
    operation("delete_me", Tag::Me, "Delete your account")
        .about(
            "Deletes the account and its sessions, for good. Its id is never given to another account. What it did stays \
             in the audit log. The last active administrator cannot go.",
        )
        .reads::<DeleteAccountRequest>(r#"{"current_password": 12345}"#)
        .replies_nothing("The account is gone.")
        .fails("Not the password of the account", Error::WrongPassword)
        .fails("Too many wrong passwords so far", Error::Throttled(30))
        .fails("There would be no active administrator any more", Error::LastAdmin)
        .may_break()
}

/// `POST /users/me/password`
pub(crate) fn change_password() -> Operation {
    operation("change_password", Tag::Me, "Change your password")
        .about("Gives the account another password, and ends all its sessions but the one that asks.")
        .reads::<ChangePasswordRequest>(r#"{"current_password": 12345, "new_password": "short"}"#)
        .replies_nothing("The new password holds, and all other sessions are over.")
        .fails("Not the password of the account", Error::WrongPassword)
        .fails("Too many wrong passwords so far", Error::Throttled(30))
        .may_break()
}

/// `GET /users/me/sessions`
pub(crate) fn list_sessions() -> Operation {
    operation("list_sessions", Tag::Me, "See where you are logged in")
        .about(
            "The sessions of the account that are not over, the newest first, at most a thousand. `last_used_at` is the \
             time of the last login or refresh: with an access token alone a session is used for half an hour at most.",
        )
        .replies_list::<SessionReply>(StatusCode::OK, "Your sessions.")
        .may_break()
}

/// `DELETE /users/me/sessions/{id}`
pub(crate) fn end_session() -> Operation {
    operation("end_session", Tag::Me, "End a session")
        .about(
            "Ends one session of the account: all its tokens are worthless from now on. It may be the one that asks.",
        )
        .takes_id("The session's id, as the list of sessions has it.")
        .replies_nothing("The session is over.")
        .fails("No such session, or somebody else's, or over already", Error::NoSession)
        .may_break()
}
