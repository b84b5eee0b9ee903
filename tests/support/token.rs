//! Reads tokens, and signs tokens that the server would not issue.
#![allow(dead_code, reason = "shared by two test binaries, which use different parts")]

use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use serde_json::Value;

/// The secret of the servers under test.
pub(crate) const SECRET: &str = "a secret that only the tests of this project use";

/// The claims of a token. The signature is not verified.
#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
#[track_caller]
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

#[track_caller]
fn part(token: &str, index: usize) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    let bytes = URL_SAFE_NO_PAD.decode(parts[index]).expect("Base64 without padding");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Signs a token with exactly this header and payload, which need not be claims.
pub(crate) fn mint(secret: &str, header: &Value, payload: impl Display) -> String {
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload.to_string()));
    format!("{signed}.{}", signature(secret, &signed))
}

/// The HS256 signature of `header.payload`, encoded as in a token.
pub(crate) fn signature(secret: &str, signed: &str) -> String {
    URL_SAFE_NO_PAD.encode(HS256Key::from_bytes(secret.as_bytes()).authentication_tag(signed.as_bytes()))
}
