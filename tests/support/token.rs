//! Tokens from the other side: what is in them, and some that the server did not make.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use serde_json::Value;

/// The key of the servers under test.
pub(crate) const SECRET: &str = "a secret that only the tests of this project use";

/// The claims of a token, unverified.
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

/// A token with exactly this header and these claims, signed with `secret`.
pub(crate) fn mint(secret: &str, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let tag = HS256Key::from_bytes(secret.as_bytes()).authentication_tag(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
