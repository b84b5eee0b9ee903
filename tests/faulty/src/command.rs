//! A command that sends a request to the URL in its argument and prints the status and the body, or the error.
//!
//! A command cannot await, so it uses `wasi:http/outgoing-handler@0.2`.

use std::process::ExitCode;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

/// Posts `body` to `url`.
fn post(url: &str, body: &[u8]) -> Result<(u16, Vec<u8>), ErrorCode> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Post).expect("a method");
    request.set_scheme(Some(&if scheme == "https" { Scheme::Https } else { Scheme::Http })).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(path)).expect("a path");
    let outgoing = request.body().expect("the only body");
    let response = handle(request, None)?;
    let stream = outgoing.write().expect("the only stream");
    // A request that is refused or answered early closes the stream of its body. The response tells why.
    let _ = stream.blocking_write_and_flush(body);
    drop(stream);
    let _ = OutgoingBody::finish(outgoing, None);
    response.subscribe().block();
    let response = response.get().expect("it is there").expect("it is the first time")?;
    let incoming = response.consume().expect("the only body");
    let stream = incoming.stream().expect("the only stream");
    let mut received = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(part) => received.extend(part),
            Err(StreamError::Closed) => return Ok((response.status(), received)),
            Err(error) => panic!("{error}"),
        }
    }
}

fn main() -> ExitCode {
    let url = std::env::args().nth(1).expect("a URL");
    match post(&url, b"from a command") {
        Ok((status, body)) => {
            std::io::Write::write_all(&mut std::io::stdout(), format!("{status} {}", body.escape_ascii()).as_bytes())
                .expect("stdout");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
