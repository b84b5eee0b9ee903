//! Errors and their replies. Only this module maps errors to HTTP statuses.

use http::{HeaderValue, StatusCode, header};
use lanterne_core::error::{AccessTokenError, Error as DomainError, RefreshTokenError};
use lanterne_database as db;

use crate::input::{self, FieldError};
use crate::reply::{Reply, invalid, problem};

/// The `Retry-After` of an unavailable database.
pub(crate) const UNAVAILABLE_RETRY_SECS: u16 = 5;

/// Why a request fails.
#[derive(Debug)]
pub(crate) enum Error {
    /// There is no such path.
    NotFound,
    /// The path has only these methods.
    MethodNotAllowed(String),
    /// The body is larger than [`BODY_BYTES_MAX`](crate::pipeline::BODY_BYTES_MAX).
    BodyTooLarge,
    /// The body ended early, is not UTF-8, or is nested too deeply.
    UnreadableBody,
    /// The input breaks these rules.
    Invalid(Vec<FieldError>),
    /// The body is not JSON by its `Content-Type`, which breaks these rules.
    WrongContentType(Vec<FieldError>),
    /// The configuration is invalid.
    NotConfigured,
    /// The database cannot be used, for the reason in the text.
    Unavailable(String),
    /// An error of the domain.
    Domain(DomainError),
}

impl Error {
    /// Returns the cause of an internal error, for the log.
    pub(crate) fn cause(&self) -> Option<String> {
        match self {
            Self::Domain(DomainError::Internal(cause)) => Some(format!("{cause:#}")),
            Self::Unavailable(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Returns the reply.
    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::NotFound => problem(StatusCode::NOT_FOUND, "Not Found"),
            // RFC 9110, section 15.5.6.
            Self::MethodNotAllowed(methods) => {
                let mut reply = problem(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
                reply.headers_mut().extend(HeaderValue::from_str(&methods).map(|methods| (header::ALLOW, methods)));
                reply
            }
            // As `lanterne` says of bodies that do not reach the component.
            Self::BodyTooLarge => problem(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large"),
            Self::UnreadableBody => problem(StatusCode::BAD_REQUEST, "There was an error parsing the body"),
            Self::Invalid(faults) => invalid(faults),
            // The body is that of the Python server. RFC 9110, section 12.5.1: the type that the next request should have.
            Self::WrongContentType(faults) => {
                let mut reply = invalid(faults);
                reply.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
                reply
            }
            Self::NotConfigured => {
                problem(StatusCode::INTERNAL_SERVER_ERROR, "The server is not configured, its log says why")
            }
            Self::Unavailable(_) => {
                let mut reply = problem(StatusCode::SERVICE_UNAVAILABLE, "The database is not available");
                reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(UNAVAILABLE_RETRY_SECS));
                reply
            }
            Self::Domain(error) => domain_reply(&error),
        }
    }
}

fn domain_reply(error: &DomainError) -> Reply {
    let challenge = || Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    let (status, extra) = match error {
        DomainError::EmailTaken
        | DomainError::WrongPassword
        | DomainError::EmailVerified
        | DomainError::OneTimeToken => (StatusCode::BAD_REQUEST, None),
        DomainError::GuessablePassword(_) => (StatusCode::UNPROCESSABLE_ENTITY, None),
        DomainError::InvalidCredentials | DomainError::AccessToken(_) => (StatusCode::UNAUTHORIZED, challenge()),
        // No challenge: the token comes in the body, not in `Authorization`.
        DomainError::RefreshToken(_) => (StatusCode::UNAUTHORIZED, None),
        DomainError::AccountInactive
        | DomainError::EmailNotVerified
        | DomainError::RegistrationClosed
        | DomainError::AdminRequired => (StatusCode::FORBIDDEN, None),
        DomainError::UserNotFound | DomainError::SessionNotFound => (StatusCode::NOT_FOUND, None),
        DomainError::LastAdmin | DomainError::UserReferenced => (StatusCode::CONFLICT, None),
        DomainError::Throttled(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, Some((header::RETRY_AFTER, HeaderValue::from(*seconds))))
        }
        DomainError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    let mut reply = problem(status, error.to_string());
    reply.headers_mut().extend(extra);
    reply
}

/// Makes a 422 at the field `name` of a password that many would guess.
pub(crate) fn guessable(name: &'static str) -> impl Fn(DomainError) -> Error {
    move |error| match error {
        DomainError::GuessablePassword(reason) => Error::Invalid(vec![input::refused_password(name, reason)]),
        error => error.into(),
    }
}

impl From<DomainError> for Error {
    fn from(error: DomainError) -> Self {
        match &error {
            DomainError::Internal(cause) if cause.downcast_ref().and_then(db::Error::unavailable).is_some() => {
                Self::Unavailable(format!("{cause:#}"))
            }
            _ => Self::Domain(error),
        }
    }
}

impl From<AccessTokenError> for Error {
    fn from(error: AccessTokenError) -> Self {
        Self::Domain(error.into())
    }
}

impl From<RefreshTokenError> for Error {
    fn from(error: RefreshTokenError) -> Self {
        Self::Domain(error.into())
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        DomainError::from(error).into()
    }
}
