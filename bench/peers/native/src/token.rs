//! Access and refresh tokens, signed with HS256.

use anyhow::Result;
use jiff::SignedDuration;
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use jwt_simple::claims::Claims;
use jwt_simple::prelude::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long a refresh token can be used.
pub(crate) const REFRESH_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);
const ACCESS_TTL: SignedDuration = SignedDuration::from_mins(30);

pub(crate) struct Keys(HS256Key);

/// What a verified token says.
pub(crate) struct Verified {
    pub(crate) user_id: i64,
    pub(crate) jti: String,
}

/// A new pair of tokens with the ids of both, the access token first.
pub(crate) struct Pair([(String, String); 2]);

#[derive(Serialize, Deserialize)]
struct Custom {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(rename = "type")]
    token_type: String,
}

impl Keys {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(HS256Key::from_bytes(secret))
    }

    /// Signs a pair of tokens for the account.
    pub(crate) fn issue(&self, user_id: i64, email: &str) -> Result<Pair> {
        let access = self.sign(user_id, Some(email.to_owned()), "access", ACCESS_TTL)?;
        Ok(Pair([access, self.sign(user_id, None, "refresh", REFRESH_TTL)?]))
    }

    /// Returns the claims of a valid token of this type.
    pub(crate) fn verify(&self, token: &str, token_type: &str) -> Option<Verified> {
        let claims = self.0.verify_token::<Custom>(token, None).ok()?;
        let is_right = claims.custom.token_type == token_type;
        is_right.then_some(Verified { user_id: claims.subject?.parse().ok()?, jti: claims.jwt_id? })
    }

    fn sign(
        &self,
        user_id: i64,
        email: Option<String>,
        token_type: &str,
        ttl: SignedDuration,
    ) -> Result<(String, String)> {
        let jti = Uuid::new_v4().to_string();
        let custom = Custom { email, token_type: token_type.to_owned() };
        let claims = Claims::with_custom_claims(custom, Duration::from_secs(ttl.as_secs().unsigned_abs()))
            .with_subject(user_id)
            .with_jwt_id(&jti);
        Ok((self.0.authenticate(claims)?, jti))
    }
}

impl Pair {
    /// The ids of both tokens.
    pub(crate) fn jtis(&self) -> [&str; 2] {
        [&self.0[0].1, &self.0[1].1]
    }

    /// The reply to a login or a refresh.
    pub(crate) fn reply(&self) -> Value {
        json!({ "access_token": self.0[0].0, "refresh_token": self.0[1].0, "token_type": "bearer" })
    }
}
