//! Access and refresh tokens: JSON Web Tokens signed with HS256 (RFC 7519, RFC 7515).
//!
//! A token carries who (`sub`), what it is for (`type`), until when (`exp`) and which one it is (`jti`). Whether
//! its session still stands is not in it: that is asked of the database on every use.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use jwt_simple::claims::{JWTClaims, NoCustomClaims};
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::UnixTimeStamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use lanterne_database::Timestamp;

/// Longer texts are no token of ours: an address has at most 254 bytes, everything else is fixed.
const TOKEN_BYTES_MAX: usize = 4096;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Opens protected routes for minutes.
    Access,
    /// Buys one new pair of tokens, once, within days.
    Refresh,
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The account's id.
    pub user_id: i64,
    /// Which token it is: a UUID, the key of its session.
    pub jti: String,
}

/// A new token.
pub struct Signed {
    /// The token.
    pub token: String,
    /// Its `jti`.
    pub jti: String,
}

/// Why a token is refused, in the order in which it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a token, not signed by us, expired, not valid yet, or with claims of the wrong type.
    Invalid,
    /// A valid token of the other kind.
    Type,
    /// A valid token that names no account or no session.
    Format,
}

/// The keys of this server.
pub struct Keys {
    current: HS256Key,
    previous: Option<HS256Key>,
}

/// The claims of a new token beside the registered ones. Together they are those of the Python server, and `iat`.
#[derive(Serialize)]
struct NewClaims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Kind,
}

impl Keys {
    /// Signs with `current`; verifies with `previous` too, while tokens signed with it are still about.
    #[must_use]
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Self {
        Self { current: HS256Key::from_bytes(current), previous: previous.map(HS256Key::from_bytes) }
    }

    /// An access token for the account, made `now`; returns it with its `jti`.
    pub fn access(&self, user_id: i64, email: &str, now: Timestamp, end: Timestamp) -> anyhow::Result<Signed> {
        self.sign(user_id, NewClaims { email: Some(email), kind: Kind::Access }, now, end)
    }

    /// A refresh token for the account, made `now`; returns it with its `jti`.
    pub fn refresh(&self, user_id: i64, now: Timestamp, end: Timestamp) -> anyhow::Result<Signed> {
        self.sign(user_id, NewClaims { email: None, kind: Kind::Refresh }, now, end)
    }

    fn sign(&self, user_id: i64, custom: NewClaims<'_>, now: Timestamp, end: Timestamp) -> anyhow::Result<Signed> {
        let jti = Uuid::new_v4().to_string();
        let claims = JWTClaims {
            issued_at: Some(numeric_date(now)),
            expires_at: Some(numeric_date(end)),
            invalid_before: None,
            issuer: None,
            subject: Some(user_id.to_string()),
            audiences: None,
            jwt_id: Some(jti.clone()),
            nonce: None,
            custom,
        };
        Ok(Signed { token: self.current.authenticate(claims)?, jti })
    }

    /// A keyed hash of `parts` (HMAC-SHA256, RFC 2104), in 32 hexadecimal digits: who does not have the key cannot find out
    /// what it is of by trying. No token is signed over such a text: it begins with a character that Base64 has not.
    #[must_use]
    pub fn fingerprint(&self, parts: &[&str]) -> String {
        let text = parts.iter().fold(String::new(), |text, part| format!("{text}\0{part}"));
        let tag = self.current.authentication_tag(text.as_bytes());
        tag.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Checks everything about `token` that can be checked without the database.
    pub fn verify(&self, token: &str, kind: Kind, now: Timestamp) -> Result<Claims, Fault> {
        let claims = self.authenticate(token, now).ok_or(Fault::Invalid)?;
        check_registered_claims(&claims, now)?;
        if claims.get("type") != serde_json::to_value(kind).ok().as_ref() {
            return Err(Fault::Type);
        }
        let text = |name| claims.get(name).and_then(Value::as_str);
        Ok(Claims {
            user_id: text("sub").and_then(parse_id).ok_or(Fault::Format)?,
            jti: text("jti").filter(|jti| !jti.is_empty()).ok_or(Fault::Format)?.to_owned(),
        })
    }

    /// The claims of a token that one of our keys signed and whose time has not passed.
    fn authenticate(&self, token: &str, now: Timestamp) -> Option<Map<String, Value>> {
        let options = VerificationOptions {
            // Zero leeway, and a token that expires this very second passes, as on the Python server.
            time_tolerance: Some(jwt_simple::prelude::Duration::from_secs(0)),
            artificial_time: Some(numeric_date(now)),
            // The library would refuse an `iat` of the next second, from another machine's clock, with an `nbf` of
            // tomorrow. The latter is checked below; RFC 7519 asks nothing of the former.
            accept_future: true,
            max_token_length: Some(TOKEN_BYTES_MAX),
            ..VerificationOptions::default()
        };
        let keys = [Some(&self.current), self.previous.as_ref()];
        keys.into_iter()
            .flatten()
            .find(|key| key.verify_token::<NoCustomClaims>(token, Some(options.clone())).is_ok())?;
        // The library gives the registered claims as it understands them; the checks below want what is written.
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok()
    }
}

/// A token's time must have come. Then the rules beyond RFC 7519 that the Python server's library has: no audience was
/// asked for, so none may be given; `sub` and `jti` are texts where they are there. And one that it lacks: a token must
/// expire.
fn check_registered_claims(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Fault> {
    let early = claims.get("nbf").and_then(Value::as_f64).is_some_and(|nbf| nbf > now.unix() as f64);
    let foreign = ["aud", "at_hash"].iter().any(|name| claims.contains_key(*name));
    let mistyped = ["sub", "jti"].iter().any(|name| claims.get(*name).is_some_and(|v| !v.is_string()));
    let endless = claims.get("exp").is_none_or(|exp| !exp.is_number());
    if early || foreign || mistyped || endless { Err(Fault::Invalid) } else { Ok(()) }
}

/// An id in plain decimal digits, as we write it; the sign is read so that `-1` is an unknown account.
fn parse_id(sub: &str) -> Option<i64> {
    let id: i64 = sub.parse().ok()?;
    (id.to_string() == sub).then_some(id)
}

fn numeric_date(timestamp: Timestamp) -> UnixTimeStamp {
    UnixTimeStamp::from_secs(timestamp.unix().try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn keys() -> Keys {
        Keys::new(b"a key of at least thirty-two bytes", None)
    }

    fn now() -> Timestamp {
        Timestamp::from_unix(1_800_000_000).expect("a time")
    }

    fn in_a_minute() -> Timestamp {
        now().after(Duration::from_secs(60))
    }

    fn refresh(keys: &Keys) -> Signed {
        keys.refresh(7, now(), in_a_minute()).expect("a token")
    }

    /// A token with exactly these claims, signed by `keys()`.
    fn mint(claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let tag = keys().current.authentication_tag(format!("{header}.{payload}").as_bytes());
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn payload(token: &str) -> Value {
        let middle = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).expect("Base64")).expect("JSON")
    }

    #[test]
    fn tokens_carry_the_documented_claims_and_no_others() {
        let (iat, exp) = (1_800_000_000, 1_800_000_060);
        let Signed { token, jti } = keys().access(7, "a@example.org", now(), in_a_minute()).expect("a token");
        assert_eq!(
            payload(&token),
            json!({"sub": "7", "email": "a@example.org", "iat": iat, "exp": exp, "type": "access", "jti": jti})
        );
        let Signed { token, jti } = refresh(&keys());
        assert_eq!(payload(&token), json!({"sub": "7", "iat": iat, "exp": exp, "type": "refresh", "jti": jti}));
    }

    #[test]
    fn a_token_is_valid_until_its_last_second() {
        let Signed { token, jti } = refresh(&keys());
        let verify = |seconds| keys().verify(&token, Kind::Refresh, now().after(Duration::from_secs(seconds)));
        assert_eq!(verify(60), Ok(Claims { user_id: 7, jti }));
        assert_eq!(verify(61), Err(Fault::Invalid));
    }

    #[test]
    fn the_previous_key_verifies_and_never_signs() {
        let rotated = Keys::new(b"another key of thirty-two bytes!!", Some(b"a key of at least thirty-two bytes"));
        let (old, new) = (refresh(&keys()).token, refresh(&rotated).token);
        assert!(rotated.verify(&old, Kind::Refresh, now()).is_ok());
        assert!(rotated.verify(&new, Kind::Refresh, now()).is_ok());
        assert_eq!(keys().verify(&new, Kind::Refresh, now()), Err(Fault::Invalid));
    }

    #[test]
    fn claims_are_checked_in_the_documented_order() {
        let exp = now().unix() + 60;
        for (claims, fault) in [
            (json!({"sub": "7", "jti": "j", "type": "refresh"}), Fault::Invalid),
            (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": null}), Fault::Invalid),
            (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": "soon"}), Fault::Invalid),
            (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": exp, "nbf": exp}), Fault::Invalid),
            (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": exp, "aud": "x"}), Fault::Invalid),
            (json!({"sub": 7, "jti": "j", "type": "refresh", "exp": exp}), Fault::Invalid),
            (json!({"sub": "7", "jti": 5, "type": "refresh", "exp": exp}), Fault::Invalid),
            (json!({"sub": "7", "jti": "j", "exp": exp}), Fault::Type),
            (json!({"exp": exp, "type": "access"}), Fault::Type),
            (json!({"jti": "j", "type": "refresh", "exp": exp}), Fault::Format),
            (json!({"sub": "7", "jti": "", "type": "refresh", "exp": exp}), Fault::Format),
            (json!({"sub": "7", "type": "refresh", "exp": exp}), Fault::Format),
        ] {
            assert_eq!(keys().verify(&mint(&claims), Kind::Refresh, now()), Err(fault), "{claims}");
        }
    }

    #[test]
    fn the_clock_of_whoever_made_a_token_may_be_ahead() {
        let claims = |nbf: i64| {
            let (iat, exp) = (now().unix() + 5, now().unix() + 60);
            json!({"sub": "7", "jti": "j", "type": "refresh", "iat": iat, "nbf": nbf, "exp": exp})
        };
        let verify = |nbf| keys().verify(&mint(&claims(nbf)), Kind::Refresh, now());
        assert!(verify(now().unix()).is_ok());
        assert_eq!(verify(now().unix() + 1), Err(Fault::Invalid));
    }

    #[test]
    fn an_id_has_one_spelling() {
        let exp = now().unix() + 60;
        for sub in [" 7", "7 ", "+7", "07", "７", "7.0", "", "99999999999999999999"] {
            let token = mint(&json!({"sub": sub, "jti": "j", "type": "refresh", "exp": exp}));
            assert_eq!(keys().verify(&token, Kind::Refresh, now()), Err(Fault::Format), "{sub:?}");
        }
    }

    #[test]
    fn other_algorithms_headers_and_spellings_are_refused() {
        let token = refresh(&keys()).token;
        let [_, claims, tag] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        for header in [r#"{"alg":"none","typ":"JWT"}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"HS256","crit":["x"]}"#] {
            let forged = format!("{}.{claims}.{tag}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(keys().verify(&forged, Kind::Refresh, now()), Err(Fault::Invalid), "{header}");
        }
        for forged in
            ["", "..", "a.b.c", &token[1..], &format!("{token}="), &format!("{token}.x"), &format!(" {token}")]
        {
            assert_eq!(keys().verify(forged, Kind::Refresh, now()), Err(Fault::Invalid), "{forged}");
        }
    }
}
