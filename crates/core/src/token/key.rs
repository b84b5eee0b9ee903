//! The keys of tokens. Each is bound to one algorithm, so that a token cannot choose how its signature is verified (RFC 8725,
//! section 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_simple::algorithms::{Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike as _, EdDSAPublicKeyLike as _};
use jwt_simple::algorithms::{HS256Key, MACLike as _};
use jwt_simple::claims::{JWTClaims, NoCustomClaims};
use jwt_simple::common::VerificationOptions;
use serde::Serialize;

/// The DER encoding of an Ed25519 private key up to its 32 bytes (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// The length of a private key in bytes.
const PRIVATE_BYTES: usize = 32;
/// The private key of RFC 8032, section 7.1, test 1, and of the example in RFC 8037, in hex.
const PUBLISHED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

/// A key that signs or verifies tokens.
pub enum Key {
    /// HMAC with SHA-256 (`HS256`, RFC 7518, section 3.2): whoever can verify can sign.
    Hs256(HS256Key),
    /// Ed25519 (`EdDSA`, RFC 8037): others can verify with the public key.
    Ed25519(Box<Ed25519>),
}

/// An Ed25519 key with its public half.
pub struct Ed25519 {
    private: Ed25519KeyPair,
    public: Ed25519PublicKey,
    /// The thumbprint of the public key (RFC 7638), the `kid` of its tokens.
    id: String,
}

/// The header of a token that is signed with Ed25519.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// A public key that verifies tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The `kid` of the tokens that the key verifies.
    pub id: String,
    /// The coordinate `x` of the JSON Web Key (RFC 8037, section 2).
    pub x: String,
}

/// Why a text is not accepted as a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Neither of the accepted forms.
    #[error("is not an Ed25519 private key")]
    Malformed,
    /// Published, or one byte repeated.
    #[error("is a key that anybody can guess")]
    Guessable,
}

impl Key {
    /// Returns the HS256 key with these bytes.
    #[must_use]
    pub fn hs256(secret: &[u8]) -> Self {
        Self::Hs256(HS256Key::from_bytes(secret))
    }

    /// Parses an Ed25519 private key: its 32 bytes in hex, or PKCS #8 in PEM, also without the first and the last line.
    ///
    /// # Errors
    /// [`InvalidKey`]
    pub fn ed25519(text: &str) -> Result<Self, InvalidKey> {
        let bytes = private_bytes(text).ok_or(InvalidKey::Malformed)?;
        if bytes.iter().all(|byte| *byte == bytes[0]) || Some(bytes) == from_hex(PUBLISHED) {
            return Err(InvalidKey::Guessable);
        }
        let der = [&PKCS8_PREFIX[..], &bytes].concat();
        let pair = Ed25519KeyPair::from_der(&der).map_err(|_| InvalidKey::Malformed)?;
        Ok(Self::Ed25519(Box::new(Ed25519 { public: pair.public_key(), id: pair.jwk_thumbprint(), private: pair })))
    }

    /// Returns the public key, if there is one.
    #[must_use]
    pub fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Hs256(_) => None,
            Self::Ed25519(key) => {
                Some(PublicKey { id: key.id.clone(), x: URL_SAFE_NO_PAD.encode(key.public.to_bytes()) })
            }
        }
    }

    /// Signs a token with these claims.
    pub(super) fn sign(&self, claims: JWTClaims<impl Serialize>) -> anyhow::Result<String> {
        Ok(match self {
            Self::Hs256(key) => key.authenticate(claims)?,
            Self::Ed25519(key) => key.sign(&claims)?,
        })
    }

    /// Returns whether the token names the algorithm of this key, is signed with it, and meets the options.
    pub(super) fn verifies(&self, token: &str, options: VerificationOptions) -> bool {
        match self {
            Self::Hs256(key) => key.verify_token::<NoCustomClaims>(token, Some(options)).is_ok(),
            Self::Ed25519(key) => {
                let options = VerificationOptions { required_key_id: Some(key.id.clone()), ..options };
                key.public.verify_token::<NoCustomClaims>(token, Some(options)).is_ok()
            }
        }
    }
}

impl Ed25519 {
    /// Signs as RFC 8032 defines: the same claims give the same token. The library would add noise.
    fn sign(&self, claims: &JWTClaims<impl Serialize>) -> serde_json::Result<String> {
        let header = Header { alg: "EdDSA", typ: "JWT", kid: &self.id };
        let part = |json: serde_json::Result<Vec<u8>>| Ok(URL_SAFE_NO_PAD.encode(json?));
        let signed = format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(claims))?);
        let signature = self.private.key_pair().as_ref().sk.sign(&signed, None);
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(*signature)))
    }
}

/// Returns the bytes of a private key in one of the forms of [`Key::ed25519`].
fn private_bytes(text: &str) -> Option<[u8; PRIVATE_BYTES]> {
    if let Some(bytes) = from_hex(text) {
        return Some(bytes);
    }
    // Where a value must stay on one line, line breaks are often written as `\n`.
    let text = text.replace("\\n", "\n");
    let text = text.trim();
    let body = text.strip_prefix("-----BEGIN PRIVATE KEY-----").unwrap_or(text);
    let body = body.strip_suffix("-----END PRIVATE KEY-----").unwrap_or(body);
    let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
    der.strip_prefix(&PKCS8_PREFIX)?.try_into().ok()
}

fn from_hex(text: &str) -> Option<[u8; PRIVATE_BYTES]> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 2 * PRIVATE_BYTES).then_some(bytes)?.try_into().ok()
}
