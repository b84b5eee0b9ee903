//! `/auth` for its reader.

use http::StatusCode;
use lanterne_core::error::{Error, Refusal};
use lanterne_core::requests::{LoginRequest, RefreshRequest, RegisterRequest};

use super::{Operation, Tag, operation};
use crate::handlers::{TokenReply, UserReply};

/// `POST /auth/register`
pub(crate) fn register() -> Operation {
    operation("register", Tag::Authentication, "Register an account")
        .about(
            "Makes an account, active at once and without administrator's rights. It does not log in: that is the next \
             request.\n\n\
             The address must be one that could receive mail, so not of a domain that is reserved for other ends, such as \
             `.test` or `.local`. It is kept in its normal form, which the reply shows. Of two requests for the same \
             address at the same time, one gets the account.",
        )
        .reads::<RegisterRequest>(r#"{"email": "nobody", "password": "short"}"#)
        .replies::<UserReply>(StatusCode::CREATED, "The new account.")
        .fails("Somebody has this address already", Error::EmailTaken)
        .may_break()
}

/// `POST /auth/login`
pub(crate) fn login() -> Operation {
    operation("login", Tag::Authentication, "Log in")
        .about(
            "Opens a session and gives its two tokens. Send the access token with later requests, in the header \
             `Authorization: Bearer ...`; keep the refresh token for `POST /auth/refresh`.\n\n\
             An unknown address and a wrong password get the same answer after the same time, so that nobody can find \
             out who has an account.\n\n\
             After ten wrong passwords for one account from one address, or a hundred from one address within a quarter of \
             an hour, none is looked at for 30 seconds, and for twice as long after each one more, up to a quarter of an \
             hour.",
        )
        .reads::<LoginRequest>(r#"{"email": "nobody", "password": 12345}"#)
        .replies::<TokenReply>(StatusCode::OK, "The tokens of a new session.")
        .fails("No such account, or not its password", Error::BadCredentials)
        .fails("The right password of an account that is switched off", Error::AccountInactive)
        .fails("Too many wrong passwords so far", Error::Throttled(30))
        .may_break()
}

/// `POST /auth/refresh`
pub(crate) fn refresh() -> Operation {
    operation("refresh", Tag::Authentication, "Trade a refresh token for new tokens")
        .about(
            "Gives a new pair of tokens for the refresh token of the last one. Each refresh token works once: of several \
             requests with the same one, exactly one succeeds, and the others have to use its tokens or log in again. A token that \
             comes back later than ten seconds after its use was stolen, before or after: its whole session ends.\n\n\
             A session ends some months after its login at the latest, however often it is refreshed.",
        )
        .reads::<RefreshRequest>(r#"{"refresh_token": null}"#)
        .replies::<TokenReply>(StatusCode::OK, "The next pair of tokens.")
        .fails("Not a token of this server, or expired", Refusal::Token.into())
        .fails("An access token", Refusal::Type.into())
        .fails("A token without a session", Refusal::Format.into())
        .fails("Used before, or its session was ended", Refusal::Session.into())
        .fails("Its session is over", Refusal::Expired.into())
        .fails("Its account is gone or switched off", Refusal::User.into())
        .may_break()
}

/// `POST /auth/logout`
pub(crate) fn logout() -> Operation {
    operation("logout", Tag::Authentication, "Log out")
        .about("Ends the session that the access token belongs to: all its tokens are worthless from now on.")
        .replies_nothing("The session is over.")
        .may_break()
}

/// `POST /auth/logout-all`
pub(crate) fn logout_all() -> Operation {
    operation("logout_all", Tag::Authentication, "Log out everywhere")
        .about("Ends all sessions of the account, the one that asks among them.")
        .replies_nothing("All sessions are over.")
        .may_break()
}
