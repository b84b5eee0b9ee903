//! Errors to replies: the one place where the domain's errors meet HTTP status codes.

use http::{HeaderValue, StatusCode, header};
use lanterne_core::error::Error;

use crate::reply::{Reply, invalid, problem};

/// The reply to an error of the domain.
pub(crate) fn reply(error: Error) -> Reply {
    let status = match &error {
        Error::Unparseable | Error::EmailTaken | Error::WrongPassword => StatusCode::BAD_REQUEST,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::BadCredentials | Error::Denied(_) | Error::RefreshRefused(_) => StatusCode::UNAUTHORIZED,
        Error::AccountInactive | Error::NotAdmin => StatusCode::FORBIDDEN,
        Error::NoUser | Error::NoSession => StatusCode::NOT_FOUND,
        Error::LastAdmin => StatusCode::CONFLICT,
        Error::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    // A refresh token comes in the body, about which HTTP's authentication says nothing.
    let challenge = matches!(error, Error::BadCredentials | Error::Denied(_));
    let retry_after = match &error {
        Error::Throttled(seconds) => Some(HeaderValue::from(*seconds)),
        _ => None,
    };
    let mut reply = match error {
        Error::Invalid(faults) => invalid(status, faults),
        error => problem(status, error.to_string()),
    };
    if challenge {
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after {
        reply.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    reply
}

/// What the log is to know of an error: its cause if it is the server's own, nothing if it is the client's.
pub(crate) fn cause(error: &Error) -> Option<String> {
    match error {
        Error::Internal(cause) => Some(format!("{cause:#}")),
        _ => None,
    }
}

/// 404: no such path.
pub(crate) fn not_found() -> Reply {
    problem(StatusCode::NOT_FOUND, "Not Found")
}

/// 405 with the methods that the path does have (RFC 9110, section 15.5.6).
pub(crate) fn method_not_allowed(allowed: &str) -> Reply {
    let mut reply = problem(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        reply.headers_mut().insert(header::ALLOW, allowed);
    }
    reply
}

/// 400: the body did not arrive whole.
pub(crate) fn unparseable() -> Reply {
    reply(Error::Unparseable)
}

/// 413: more body than is read.
pub(crate) fn too_large() -> Reply {
    problem(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large, at most 65536 bytes are read")
}

/// 500 as the client sees every fault of the server's own.
pub(crate) fn internal() -> Reply {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// 500 of a server whose variables are not as they should be; which ones, only its log says.
pub(crate) fn not_configured() -> Reply {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "The server is not configured, its log says why")
}
