//! Tokens: one that is accepted was signed by one of the keys, in its only spelling, and its claims hold.
//!
//! An input is verified as a token. If it has two lines, these are also signed as header and payload.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lanterne_core::token::{Claims, Key, Keys, Scope, TokenError, TokenType, new_jti};
use lanterne_database::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sha2::Sha256;

/// The time at which tokens are verified. The seeds expire a year later.
const NOW_UNIX_SECS: i64 = 1_800_000_000;
/// The longest accepted token, in bytes.
const TOKEN_BYTES_MAX: usize = 4096;
/// An address has at most so many bytes.
const EMAIL_BYTES_MAX: usize = 254;
const KEY: &[u8] = b"the current key of the fuzz target";
const PREVIOUS_KEY: &[u8] = b"the previous key of the fuzz target";
const FOREIGN_KEY: &[u8] = b"a key that the fuzz target does not accept";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const TYPES: [(TokenType, &str); 2] = [(TokenType::Access, "access"), (TokenType::Refresh, "refresh")];

static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::new(KEY, Key::hs256(KEY), vec![Key::hs256(PREVIOUS_KEY)], Scope::default()));

fuzz_target!(|text: &str| {
    let _ = verify(text);
    if let Some((header, payload)) = text.split_once('\n') {
        for key in [KEY, PREVIOUS_KEY] {
            let results = verify(&sign(key, header, payload));
            if let Some(expected) = expected(header, payload) {
                assert_eq!(results, expected, "{text}");
            }
        }
        let forged = sign(FOREIGN_KEY, header, payload);
        assert_eq!(verify(&forged), [Err(TokenError::Invalid), Err(TokenError::Invalid)], "{text}");
    }
    issue(text);
});

fn now() -> Timestamp {
    Timestamp::from_unix(NOW_UNIX_SECS).expect("a time")
}

/// Verifies a token as each type, and checks what is accepted.
fn verify(token: &str) -> [Result<Claims, TokenError>; 2] {
    TYPES.map(|(token_type, name)| {
        let result = KEYS.verify(token, token_type, now());
        if let Ok(claims) = &result {
            check(token, name, claims);
        }
        result
    })
}

/// Checks an accepted token without the code under test.
fn check(token: &str, type_name: &str, claims: &Claims) {
    assert!(token.len() <= TOKEN_BYTES_MAX, "{token}");
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, tag] = parts[..] else { panic!("not three parts: {token}") };
    let decoded = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("Base64 without padding");
        assert_eq!(URL_SAFE_NO_PAD.encode(&bytes), part, "another spelling is accepted: {token}");
        bytes
    };
    let tag = decoded(tag);
    let signed = format!("{header}.{payload}");
    assert!([KEY, PREVIOUS_KEY].iter().any(|key| mac(key, &signed).verify_slice(&tag).is_ok()), "forged: {token}");

    let header: Value = serde_json::from_slice(&decoded(header)).expect("JSON");
    let payload: Value = serde_json::from_slice(&decoded(payload)).expect("JSON");
    assert_eq!(header["alg"], "HS256", "{token}");
    assert!(header.get("crit").is_none(), "{token}");
    assert_eq!(payload["type"], type_name, "{payload}");
    assert_eq!(payload["sub"], claims.user_id.to_string(), "{payload}");
    assert_eq!(payload["jti"], claims.jti, "{payload}");
    assert!(!claims.jti.is_empty(), "{payload}");
    assert!(payload["exp"].as_f64().is_some_and(|end| end >= NOW_UNIX_SECS as f64), "{payload}");
    assert!(payload["nbf"].as_f64().is_none_or(|start| start <= NOW_UNIX_SECS as f64), "{payload}");
    assert!(payload.get("aud").is_none() && payload.get("at_hash").is_none(), "{payload}");
}

/// Returns the results for a token that is signed and has only documented claims, in compact JSON; `None` for others.
fn expected(header: &str, payload: &str) -> Option<[Result<Claims, TokenError>; 2]> {
    const DOCUMENTED: [&str; 6] = ["sub", "email", "type", "exp", "iat", "jti"];
    let claims: Value = serde_json::from_str(payload).ok()?;
    let compact = claims.to_string();
    let is_documented = claims.as_object()?.keys().all(|name| DOCUMENTED.contains(&name.as_str()));
    let is_number = |name: &str| claims[name].as_u64().is_some_and(|number| number < 1 << 40);
    let is_text = |name: &str| claims[name].is_string();
    let is_optional = |name: &str, is_valid: &dyn Fn(&str) -> bool| claims.get(name).is_none() || is_valid(name);
    let is_typed = is_number("exp") && is_optional("iat", &is_number) && is_optional("email", &is_text);
    let is_short = sign(KEY, header, payload).len() <= TOKEN_BYTES_MAX;
    let user_id = claims["sub"].as_str().and_then(|sub| sub.parse().ok().filter(|id: &i64| id.to_string() == sub))?;
    let jti = claims["jti"].as_str().filter(|jti| !jti.is_empty())?.to_owned();
    if header != HEADER || compact != payload || !is_documented || !is_typed || !is_short {
        return None;
    }
    Some(TYPES.map(|(_, name)| {
        if claims["exp"].as_i64() < Some(NOW_UNIX_SECS) {
            Err(TokenError::Invalid)
        } else if claims["type"] != name {
            Err(TokenError::WrongType)
        } else {
            Ok(Claims { user_id, jti: jti.clone() })
        }
    }))
}

/// Issues tokens for an account of this address, and verifies them.
fn issue(email: &str) {
    let mut id = [0; 8];
    id.iter_mut().zip(email.bytes()).for_each(|(byte, from)| *byte = from);
    let user_id = i64::from_le_bytes(id);
    if email.len() > EMAIL_BYTES_MAX {
        return;
    }
    let (keys, end) = (&KEYS, now().after(Duration::from_secs(1)));
    let (access_jti, refresh_jti) = (new_jti(), new_jti());
    let access = keys.access(user_id, email, &access_jti, now(), end).expect("a token");
    let refresh = keys.refresh(user_id, &refresh_jti, now(), end).expect("a token");
    assert_eq!(verify(&access), [Ok(Claims { user_id, jti: access_jti }), Err(TokenError::WrongType)], "{email:?}");
    assert_eq!(verify(&refresh), [Err(TokenError::WrongType), Ok(Claims { user_id, jti: refresh_jti })], "{email:?}");
}

fn mac(key: &[u8], signed: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("a key of any length");
    mac.update(signed.as_bytes());
    mac
}

fn sign(key: &[u8], header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = mac(key, &signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
