//! Access and refresh tokens: signed JSON Web Tokens (RFC 7519, RFC 7515).
//!
//! A token names its account (`sub`), its use (`type`), its end (`exp`) and its session (`jti`). Whether the session is still
//! valid is read from the database on every use.

mod key;

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use jwt_simple::claims::{Audiences, JWTClaims};
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::UnixTimeStamp;
use lanterne_database::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use self::key::{InvalidKey, Key, PublicKey};
use crate::error::{AccessTokenError, RefreshTokenError};

/// The most bytes of an issuer or an audience.
pub const SCOPE_BYTES_MAX: usize = 255;
/// More than our longest token: an address has at most 254 bytes, issuer and audience [`SCOPE_BYTES_MAX`] each, and each byte
/// takes at most two in JSON, all else is fixed.
const TOKEN_BYTES_MAX: usize = 4096;

/// The use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    /// Authorizes requests, for minutes.
    Access,
    /// Can be exchanged for a new pair once, within days.
    Refresh,
}

/// The claims of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The account's id.
    pub user_id: i64,
    /// The token's id: a UUID, by which its session is found.
    pub jti: String,
}

/// Why a token is refused, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Malformed, not signed by this server, expired, not valid yet, or with claims of a wrong type.
    Invalid,
    /// A valid token of the other type.
    WrongType,
    /// A valid token without an account or a session.
    Malformed,
}

/// Returns the id of a new token.
#[must_use]
pub fn new_jti() -> String {
    Uuid::new_v4().to_string()
}

/// The keys of the server.
pub struct Keys {
    /// The key of fingerprints.
    secret: HS256Key,
    /// Signs and verifies.
    current: Key,
    /// Verify as well.
    previous: Vec<Key>,
    scope: Scope,
}

/// The issuer and the audience of tokens: written into new tokens, and required of all tokens (RFC 8725, sections 3.8 and 3.9).
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The claim `iss`. Without it, that of a token is not checked, as on the Python server.
    pub issuer: Option<String>,
    /// The claim `aud`. Without it, tokens that have one are refused.
    pub audience: Option<String>,
}

/// The claims of a new token beside the registered ones: those of the Python server, and `iat`.
#[derive(Serialize)]
struct NewClaims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(rename = "type")]
    token_type: TokenType,
}

impl From<TokenError> for AccessTokenError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::WrongType => Self::WrongType,
            TokenError::Invalid | TokenError::Malformed => Self::Invalid,
        }
    }
}

impl From<TokenError> for RefreshTokenError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::Invalid,
            TokenError::WrongType => Self::WrongType,
            TokenError::Malformed => Self::Malformed,
        }
    }
}

impl Keys {
    /// Signs with `current`; verifies with `previous` as well, so that keys and algorithms can be changed. `secret` is the key
    /// of fingerprints.
    #[must_use]
    pub fn new(secret: &[u8], current: Key, previous: Vec<Key>, scope: Scope) -> Self {
        Self { secret: HS256Key::from_bytes(secret), current, previous, scope }
    }

    /// Returns the public keys of the accepted tokens, the current one first; none for HS256.
    pub fn public(&self) -> impl Iterator<Item = PublicKey> {
        self.accepted().filter_map(Key::public)
    }

    fn accepted(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Signs an access token for the account with the id `jti`.
    ///
    /// # Errors
    /// Only if serialization fails.
    pub fn access(
        &self,
        user_id: i64,
        email: &str,
        jti: &str,
        now: Timestamp,
        end: Timestamp,
    ) -> anyhow::Result<String> {
        self.sign(user_id, jti, NewClaims { email: Some(email), token_type: TokenType::Access }, now, end)
    }

    /// Signs a refresh token for the account with the id `jti`.
    ///
    /// # Errors
    /// Only if serialization fails.
    pub fn refresh(&self, user_id: i64, jti: &str, now: Timestamp, end: Timestamp) -> anyhow::Result<String> {
        self.sign(user_id, jti, NewClaims { email: None, token_type: TokenType::Refresh }, now, end)
    }

    fn sign(
        &self,
        user_id: i64,
        jti: &str,
        custom: NewClaims<'_>,
        now: Timestamp,
        end: Timestamp,
    ) -> anyhow::Result<String> {
        let claims = JWTClaims {
            issued_at: Some(numeric_date(now)),
            expires_at: Some(numeric_date(end)),
            invalid_before: None,
            issuer: self.scope.issuer.clone(),
            subject: Some(user_id.to_string()),
            audiences: self.scope.audience.clone().map(Audiences::AsString),
            jwt_id: Some(jti.to_owned()),
            nonce: None,
            custom,
        };
        self.current.sign(claims)
    }

    /// Returns a keyed hash of `parts` (HMAC-SHA256, RFC 2104, the first 128 bits in Base64), which cannot be reversed by
    /// guessing without the key. The input begins with NUL, so it is never the signed part of a token.
    #[must_use]
    pub fn fingerprint(&self, parts: &[&str]) -> String {
        let text = parts.iter().fold(String::new(), |text, part| format!("{text}\0{part}"));
        let tag = self.secret.authentication_tag(text.as_bytes());
        URL_SAFE_NO_PAD.encode(&tag[..16])
    }

    /// Checks all of a token that can be checked without the database.
    ///
    /// # Errors
    /// The first reason of [`TokenError`] that applies.
    pub fn verify(&self, token: &str, token_type: TokenType, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = self.authenticate(token, now).ok_or(TokenError::Invalid)?;
        self.check_registered_claims(&claims, now)?;
        if claims.get("type") != serde_json::to_value(token_type).ok().as_ref() {
            return Err(TokenError::WrongType);
        }
        let text = |name| claims.get(name).and_then(Value::as_str);
        Ok(Claims {
            user_id: text("sub").and_then(parse_id).ok_or(TokenError::Malformed)?,
            jti: text("jti").filter(|jti| !jti.is_empty()).ok_or(TokenError::Malformed)?.to_owned(),
        })
    }

    /// Returns the claims of a token that one of the keys signed and that has not expired.
    fn authenticate(&self, token: &str, now: Timestamp) -> Option<Map<String, Value>> {
        let options = VerificationOptions {
            // No leeway, and a token is valid in the second of its `exp`, as on the Python server.
            time_tolerance: Some(jwt_simple::prelude::Duration::from_secs(0)),
            artificial_time: Some(numeric_date(now)),
            // The library treats a future `iat`, which RFC 7519 allows, like a future `nbf`, which is checked below.
            accept_future: true,
            max_token_length: Some(TOKEN_BYTES_MAX),
            allowed_issuers: self.scope.issuer.clone().map(|issuer| HashSet::from([issuer])),
            allowed_audiences: self.scope.audience.clone().map(|audience| HashSet::from([audience])),
            ..VerificationOptions::default()
        };
        self.accepted().find(|key| key.verifies(token, options.clone()))?;
        // The library returns the registered claims as it interprets them; the checks below need them as written.
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// Checks `nbf`, requires `exp`, and applies the rules of the Python server's library beyond RFC 7519: no `aud` that is
    /// not expected, and no `at_hash`; `sub` and `jti`, if present, are strings.
    fn check_registered_claims(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
        let early = claims.get("nbf").and_then(Value::as_f64).is_some_and(|nbf| nbf > now.unix() as f64);
        let foreign = self.scope.audience.is_none() && claims.contains_key("aud") || claims.contains_key("at_hash");
        let mistyped = ["sub", "jti"].iter().any(|name| claims.get(*name).is_some_and(|v| !v.is_string()));
        let endless = claims.get("exp").is_none_or(|exp| !exp.is_number());
        if early || foreign || mistyped || endless { Err(TokenError::Invalid) } else { Ok(()) }
    }
}

/// Parses an id in canonical decimal digits. A sign is accepted, so that `-1` is an unknown account.
fn parse_id(sub: &str) -> Option<i64> {
    let id: i64 = sub.parse().ok()?;
    (id.to_string() == sub).then_some(id)
}

fn numeric_date(timestamp: Timestamp) -> UnixTimeStamp {
    UnixTimeStamp::from_secs(timestamp.unix().try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests;
