//! Maps failures to the error codes of `wasi:http`.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use rustls::Error as TlsError;
use wasmtime_wasi_http::Error;

/// Replaces an error of a library by the error code that says most about it.
pub(super) fn code(error: Error) -> Error {
    match error {
        Error::Connect(error) => of_connect(&error),
        Error::Tls(error) => of_io(&error, Error::TlsProtocolError),
        Error::Hyper(error) => of_hyper(&error),
        error => error,
    }
}

fn of_connect(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            Error::DestinationIpUnroutable
        }
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        _ => of_io(error, Error::InternalError(Some(error.to_string()))),
    }
}

/// Returns the code of a failed read or write; `other` if it is neither about TLS nor about the end of the connection.
fn of_io(error: &io::Error, other: Error) -> Error {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<TlsError>());
    match (tls, error.kind()) {
        (Some(TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented), _) => Error::TlsCertificateError,
        (Some(TlsError::AlertReceived(alert)), _) => {
            Error::TlsAlertReceived { alert_id: Some((*alert).into()), alert_message: Some(format!("{alert:?}")) }
        }
        (Some(_), _) => Error::TlsProtocolError,
        (
            None,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe,
        ) => Error::ConnectionTerminated,
        (None, _) => other,
    }
}

fn of_hyper(error: &hyper::Error) -> Error {
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_parse() {
        return Error::HttpProtocolError;
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Error::ConnectionTerminated;
    }
    let Some(cause) = error.source() else {
        return Error::HttpProtocolError;
    };
    match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(error), _) => of_io(error, Error::HttpProtocolError),
        // The component has not sent the body that it announced.
        (_, Some(Error::HttpRequestBodySize(size))) => Error::HttpRequestBodySize(*size),
        _ => Error::InternalError(Some(cause.to_string())),
    }
}

/// Returns the code of a body that could not be read to its end.
pub(super) fn of_body(error: hyper::Error) -> Error {
    match of_hyper(&error) {
        Error::ConnectionTerminated => Error::HttpResponseIncomplete,
        code => code,
    }
}
