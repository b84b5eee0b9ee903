//! `GET /.well-known/jwks.json`: the keys with which others verify tokens.

use http::{HeaderValue, StatusCode, header};
use lanterne_core::config::Config;
use lanterne_core::token::PublicKey;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::docs::{Operation, Tag};
use crate::error::Error;
use crate::reply::{Reply, json};

/// How long the key set may be cached, also by proxies: a verifier that meets an unknown `kid` asks again by itself.
const CACHE_CONTROL: &str = "public, max-age=300";

/// A set of public keys (JSON Web Key Set, RFC 7517, section 5).
#[derive(Serialize, ToSchema)]
struct KeySetReply {
    /// The Ed25519 keys of accepted tokens, that of new tokens first. HS256 keys are secret and never listed.
    keys: Vec<KeyReply>,
}

/// An Ed25519 public key (RFC 8037, section 2).
#[derive(Serialize, ToSchema)]
struct KeyReply {
    /// The type of the key.
    #[schema(examples("OKP"))]
    kty: &'static str,
    /// The curve.
    #[schema(examples("Ed25519"))]
    crv: &'static str,
    /// The algorithm: tokens with another one in their header must be refused.
    #[schema(examples("EdDSA"))]
    alg: &'static str,
    /// The use of the key: signatures.
    #[schema(rename = "use", examples("sig"))]
    #[serde(rename = "use")]
    key_use: &'static str,
    /// The id of the key, which is in the header of its tokens: its thumbprint (RFC 7638).
    #[schema(examples("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"))]
    kid: String,
    /// The public key, in Base64url.
    #[schema(examples("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))]
    x: String,
}

impl From<PublicKey> for KeyReply {
    fn from(PublicKey { id, x }: PublicKey) -> Self {
        Self { kty: "OKP", crv: "Ed25519", alg: "EdDSA", key_use: "sig", kid: id, x }
    }
}

/// `GET /.well-known/jwks.json`
pub(crate) async fn show(call: &Call<'_>) -> Result<Reply, Error> {
    let keys = call.app.config.keys.public().map(KeyReply::from).collect();
    let mut reply = json(StatusCode::OK, &KeySetReply { keys });
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_CONTROL));
    Ok(reply)
}

pub(crate) fn describe_show(_: &Config) -> Operation {
    Operation::new("show_keys", Tag::Authentication, "Show the public keys")
        .about(
            "Returns the keys with which other services verify tokens, as a JSON Web Key Set. HS256 keys are secret and not \
             listed: with these alone it is empty. The `kid` in the header of a token names its key.",
        )
        .replies::<KeySetReply>(StatusCode::OK, "The keys.")
        .fails("The configuration is invalid", Error::NotConfigured)
}
