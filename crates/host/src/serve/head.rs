//! Inspects the heads of requests before hyper parses them.
//!
//! hyper answers a head that it refuses by itself: with an empty body, without the headers that every response has, and
//! without a line in the log. So such a head is replaced by a well-formed one, which the server then refuses like any
//! other request. What hyper accepts although it should not be accepted is refused here as well: a request with both
//! `Content-Length` and `Transfer-Encoding`. A proxy in front and this server may disagree on where it ends, which allows
//! request smuggling (RFC 9112, section 11.2).

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use httparse::{EMPTY_HEADER, Error, Request, Status};

/// The maximum size of a head, in bytes.
pub(super) const HEAD_SIZE_MAX: usize = 64 * 1024;
/// The maximum number of headers. hyper refuses more.
const HEADERS_MAX: usize = 100;
/// The largest length of a body, in bytes. hyper refuses a larger one, and uses the remaining values itself.
const LENGTH_MAX: u64 = u64::MAX - 2;
/// The size of a request that ends with its connection, or at a place that only the parser of chunks can find.
pub(super) const UNKNOWN_SIZE: u64 = u64::MAX;
/// The maximum length of a method and of a path that are kept from a refused head, in bytes.
const KEPT_METHOD_MAX: usize = 20;
const KEPT_PATH_MAX: usize = 200;
/// How much is kept of a long line of a head that is too large: of its start, and of its end, in bytes.
const KEPT_START: usize = 512;
const KEPT_END: usize = 16;

/// The result of an inspection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inspected {
    /// More bytes are needed.
    Partial,
    /// The head is complete and well-formed. The whole request has this size in bytes, or [`UNKNOWN_SIZE`].
    Accepted(u64),
    /// The head must be refused with this status.
    Refused(StatusCode),
    /// The head must be refused with this status when all of it has been read.
    TooLarge(StatusCode),
}

/// Inspects the head at the start of `received`.
pub(super) fn inspect(received: &[u8]) -> Inspected {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(received) {
        Ok(Status::Complete(size)) if size <= HEAD_SIZE_MAX => match body_size(&request) {
            Some(body) => Inspected::Accepted(body.saturating_add(size as u64)),
            None => Inspected::Refused(StatusCode::BAD_REQUEST),
        },
        Ok(Status::Partial) if received.len() < HEAD_SIZE_MAX => Inspected::Partial,
        Ok(_) => Inspected::TooLarge(too_large(received)),
        Err(Error::TooManyHeaders) => Inspected::TooLarge(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(_) => Inspected::Refused(StatusCode::BAD_REQUEST),
    }
}

/// Returns whether `bytes` contain an empty line, which ends a head.
pub(super) fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|window| window == b"\n\n") || bytes.windows(3).any(|window| window == b"\n\r\n")
}

/// Returns the size of the body (RFC 9112, section 6.3), or [`UNKNOWN_SIZE`] if it is chunked. `None` if the size is
/// ambiguous or invalid, or the target is not a URI.
fn body_size(request: &Request<'_, '_>) -> Option<u64> {
    Uri::try_from(request.path?).ok()?;
    let values = |name: &'static str| {
        let headers = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        headers.map(|header| str::from_utf8(header.value).unwrap_or_default())
    };
    let mut lengths = values("content-length").map(parse_length);
    match (lengths.next(), values("transfer-encoding").next_back()) {
        (None, None) => Some(0),
        (Some(length), None) if lengths.all(|other| other == length) => length,
        // Transfer codings exist since HTTP/1.1, and the last one must be `chunked`.
        (None, Some(codings)) if request.version == Some(1) => {
            let last = codings.rsplit(',').next()?;
            last.trim().eq_ignore_ascii_case("chunked").then_some(UNKNOWN_SIZE)
        }
        _ => None,
    }
}

fn parse_length(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|length| is_number && *length <= LENGTH_MAX)
}

/// Returns the status for a head that is too large: 414 if its first line takes more than half of the limit, otherwise 431.
fn too_large(head: &[u8]) -> StatusCode {
    let line_size = head.iter().position(|byte| *byte == b'\n').unwrap_or(head.len());
    if line_size > HEAD_SIZE_MAX / 2 { StatusCode::URI_TOO_LONG } else { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE }
}

/// Shortens the start of a head that is too large to what a substitute needs.
pub(super) fn shorten(head: &[u8], kept: &[HeaderName]) -> Vec<u8> {
    let mut shortened = Vec::new();
    for (index, line) in head.trim_ascii_start().split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_needed = || index == 0 || !line.ends_with(b"\n") || kept.iter().any(|name| value(line, name).is_some());
        if line.len() <= KEPT_START + KEPT_END && is_needed() {
            shortened.extend_from_slice(line);
        } else if is_needed() {
            shortened.extend_from_slice(&line[..KEPT_START]);
            // A header with a gap must not be read as a shorter one: NUL makes its value invalid.
            shortened.push(0);
            shortened.extend_from_slice(&line[line.len() - KEPT_END..]);
        }
    }
    shortened
}

/// Returns a well-formed head in place of a refused one: with the same method, path and version, and those of the headers
/// `kept`, as far as these can be read.
pub(super) fn substitute(head: &[u8], kept: &[HeaderName]) -> Vec<u8> {
    let lines = head.split_inclusive(|byte| *byte == b'\n');
    let mut lines = lines.filter(|line| !line.trim_ascii().is_empty());
    let mut words = lines.next().unwrap_or_default().trim_ascii().split(|byte| *byte == b' ');
    let method = words.next().filter(|method| method.len() <= KEPT_METHOD_MAX && Method::from_bytes(method).is_ok());
    let path = words.next().and_then(path);
    let version = words.next_back().filter(|version| version == b"HTTP/1.0");
    let mut substitute = [method.unwrap_or(b"-"), path.unwrap_or(b"*"), version.unwrap_or(b"HTTP/1.1")].join(&b' ');
    for name in kept {
        let values = lines.clone().filter_map(|line| value(line, name));
        if let Some(value) = values.last().filter(|value| HeaderValue::from_bytes(value).is_ok()) {
            let line = [b"\r\n", name.as_str().as_bytes(), b": ", value].concat();
            substitute.extend_from_slice(&line);
        }
    }
    substitute.extend_from_slice(b"\r\n\r\n");
    substitute
}

/// Returns the value in a line, if it is that of the header `name`. Half a line has none.
fn value<'a>(line: &'a [u8], name: &HeaderName) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.as_str().len())?;
    let value = rest.strip_prefix(b":")?.strip_suffix(b"\n")?;
    start.eq_ignore_ascii_case(name.as_str().as_bytes()).then_some(value.trim_ascii())
}

/// Returns the start of a path, without the query.
fn path(target: &[u8]) -> Option<&[u8]> {
    let path = target.split(|byte| b"?#".contains(byte)).next()?;
    let path = path.get(..KEPT_PATH_MAX).unwrap_or(path);
    (path.starts_with(b"/") && Uri::try_from(path).is_ok()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Inspected = Inspected::Refused(StatusCode::BAD_REQUEST);

    /// Inspects a head with these headers.
    fn with(headers: &str) -> Inspected {
        let head = format!("POST / HTTP/1.1\r\n{headers}\r\n");
        match inspect(head.as_bytes()) {
            Inspected::Accepted(size) if size != UNKNOWN_SIZE => Inspected::Accepted(size - head.len() as u64),
            other => other,
        }
    }

    #[test]
    fn the_size_of_a_body_is_unambiguous() {
        assert_eq!(with(""), Inspected::Accepted(0));
        assert_eq!(with("Content-Length: 7\r\n"), Inspected::Accepted(7));
        assert_eq!(with("Content-Length: 7\r\ncontent-length: 7\r\n"), Inspected::Accepted(7));
        assert_eq!(with("Transfer-Encoding: chunked\r\n"), Inspected::Accepted(UNKNOWN_SIZE));
        assert_eq!(with("Transfer-Encoding: gzip, Chunked\r\n"), Inspected::Accepted(UNKNOWN_SIZE));
        for headers in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
            "Content-Length: \r\n",
            "Content-Length: +7\r\n",
            "Content-Length: -7\r\n",
            "Content-Length: 7, 7\r\n",
            "Content-Length: 0x7\r\n",
            "Content-Length: 18446744073709551615\r\n",
            "Content-Length: 18446744073709551616\r\n",
        ] {
            assert_eq!(with(headers), REFUSED, "{headers}");
        }
        assert_eq!(inspect(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), REFUSED);
    }

    #[test]
    fn heads_have_a_maximum_size() {
        let large = |line: usize, header: usize| {
            let head = format!("GET /{} HTTP/1.1\r\nCookie: {}\r\n\r\n", "a".repeat(line), "b".repeat(header));
            (inspect(head.as_bytes()), inspect(&head.as_bytes()[..head.len() - 4]))
        };
        let both = |status| (Inspected::TooLarge(status), Inspected::TooLarge(status));
        assert_eq!(large(HEAD_SIZE_MAX, 0), both(StatusCode::URI_TOO_LONG));
        assert_eq!(large(HEAD_SIZE_MAX - 99, 100), both(StatusCode::URI_TOO_LONG));
        assert_eq!(large(0, HEAD_SIZE_MAX), both(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        assert_eq!(large(HEAD_SIZE_MAX / 4, HEAD_SIZE_MAX), both(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        let (accepted, partial) = large(1000, HEAD_SIZE_MAX - 1100);
        assert!(matches!(accepted, Inspected::Accepted(_)));
        assert_eq!(partial, Inspected::Partial);
        assert_eq!(with(&"A: b\r\n".repeat(101)), Inspected::TooLarge(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }

    #[test]
    fn a_substitute_keeps_what_can_be_read() {
        let kept = [HeaderName::from_static("origin"), HeaderName::from_static("x-request-id")];
        for (head, expected) in [
            ("", "- * HTTP/1.1\r\n\r\n"),
            ("\u{16}\u{3}\u{1}\r\n\r\n", "- * HTTP/1.1\r\n\r\n"),
            ("HEAD /a?token=b HTTP/1.0\r\n\r\n", "HEAD /a HTTP/1.0\r\n\r\n"),
            ("GET nowhere HTTP/3\r\n\r\n", "GET * HTTP/1.1\r\n\r\n"),
            (
                "\r\nGET / HTTP/1.1\nOrigin:http://a\nb c: d\r\nX-REQUEST-ID: 1 \r\nX-Request-Id: 2\r\n\r\n",
                "GET / HTTP/1.1\r\norigin: http://a\r\nx-request-id: 2\r\n\r\n",
            ),
            // Half a line has no value.
            ("GET / HTTP/1.1\r\nOrigin: http://a", "GET / HTTP/1.1\r\n\r\n"),
            ("GET / HTTP/1.1\r\nOrigin: \u{0}\r\nOriginal: b\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"),
        ] {
            let substitute = substitute(head.as_bytes(), &kept);
            assert_eq!(str::from_utf8(&substitute), Ok(expected), "{head}");
            assert!(matches!(inspect(&substitute), Inspected::Accepted(_)), "{head}");
        }
    }

    #[test]
    fn a_shortened_head_has_the_same_substitute() {
        let kept = ["origin", "x-request-id", "x-forwarded-for"].map(HeaderName::from_static);
        let long = "a".repeat(HEAD_SIZE_MAX);
        for end in [" HTTP/1.0\r\n", " HTTP/1.1\n"] {
            let head =
                format!("\r\nGET /{long}{end}Cookie: {long}\r\norigin: http://a\r\nx: y\r\nX-Request-Id: 1\r\n\r\n");
            let expected = substitute(head.as_bytes(), &kept);
            // A client cannot make a part of the proxy's address its own.
            let head = head.replace("x: y", &format!("X-Forwarded-For: {long}, 2001:db8::1"));
            assert!(expected.len() < 2 * KEPT_PATH_MAX);
            // In pieces, as it may arrive.
            for size in [1000, 4096, HEAD_SIZE_MAX] {
                let read = |shortened: Vec<u8>, piece: &[u8]| shorten(&[&shortened, piece].concat(), &kept);
                let shortened = head.as_bytes().chunks(size).fold(Vec::new(), read);
                assert!(shortened.len() < 3 * KEPT_START, "{}", shortened.len());
                assert_eq!(substitute(&shortened, &kept), expected, "{size}");
            }
        }
    }
}
