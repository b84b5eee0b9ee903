//! Password hashes: bcrypt that yields to the host between rounds.
//!
//! A WebAssembly guest is not preempted on every host: with a blocking hash, four clients logging in delay every other
//! request by most of a second. `lanterne-bcrypt` computes the hashes, in pairs where requests run side by side; the format
//! comes from the crate `bcrypt`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bcrypt::{BASE_64, HashParts, Version};
use lanterne_bcrypt::PASSWORD_BYTES_MAX;
use sha2::{Digest as _, Sha384};
use subtle::ConstantTimeEq as _;

/// Marks a hash of Base64(SHA-384(password)) instead of the password, so that all bytes of a long password count
/// (ASVS 5.0, 6.2.9). In Base64, since bcrypt implementations stop at a NUL byte.
const PREHASHED: &str = "$bcrypt-sha384";
/// The highest cost that is verified: 2^16 rounds, some five seconds. No server of this API stores a higher one.
const COST_VERIFIED_MAX: u32 = 16;

/// The work factor of new hashes: `2^cost` rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost(u32);

impl Cost {
    /// The least that OWASP's Password Storage Cheat Sheet accepts.
    pub const MIN: u32 = 10;
    /// Beyond it, a login takes more than two seconds of a core.
    pub const MAX: u32 = 15;

    /// Checks that `cost` is within [`Self::MIN`] and [`Self::MAX`].
    #[must_use]
    pub fn new(cost: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&cost).then_some(Self(cost))
    }
}

#[cfg(feature = "testing")]
impl Cost {
    /// The least that bcrypt defines, for tests.
    pub const TEST: Self = Self(4);
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Default for Cost {
    /// The cost of the Python server: 4096 rounds, about a third of a second.
    fn default() -> Self {
        Self(12)
    }
}

/// The result of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another password, or the stored text is not a hash.
    Wrong,
    /// The password.
    Right,
    /// The password, whose hash should be renewed with the configured cost.
    RightButOutdated,
}

/// Hashes a password with a random salt for the column `hashed_password`: in the standard form `$2b$...` up to 72 bytes, in
/// the form marked with `$bcrypt-sha384` beyond.
///
/// # Errors
/// There is no randomness for the salt.
pub async fn hash(password: &str, cost: Cost) -> Result<String, getrandom::Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    Ok(if password.len() <= PASSWORD_BYTES_MAX {
        bcrypt_text(password.as_bytes(), salt, cost.0).await
    } else {
        let hash = bcrypt_text(prehash(password).as_bytes(), salt, cost.0).await;
        format!("{PREHASHED}{hash}")
    })
}

/// Compares `password` with a stored hash. Takes as long as a hash of the configured `cost`, also without a hash (`None`, an
/// unknown account), for text that is not a hash and for a hash of a lower cost. Only a hash of a higher cost takes longer,
/// until its owner logs in.
pub async fn verify(password: &str, stored: Option<&str>, cost: Cost) -> Verdict {
    let Some(stored) = stored.and_then(|stored| Stored::parse(password, stored)) else {
        bcrypt_text(password.as_bytes(), [0; 16], cost.0).await;
        return Verdict::Wrong;
    };
    let stored_cost = stored.parts.get_cost();
    let got = bcrypt_text(stored.input.as_bytes(), stored.parts.get_salt_raw(), stored_cost).await;
    // 2^s rounds and 2^s + 2^(s+1) + ... + 2^(c-1) more are 2^c.
    for missing in stored_cost..cost.0 {
        bcrypt_text(b"", [0; 16], missing).await;
    }
    let want = stored.parts.format_for_version(Version::TwoB);
    if !bool::from(got.as_bytes().ct_eq(want.as_bytes())) {
        Verdict::Wrong
    } else if stored_cost == cost.0 || stored.is_truncated {
        Verdict::Right
    } else {
        Verdict::RightButOutdated
    }
}

/// A stored hash, and the input of bcrypt to compare with it.
struct Stored {
    input: String,
    parts: HashParts,
    /// Whether only the first 72 bytes of the password are compared. The hash must not be renewed then: the rest, which
    /// may be mistyped, would count from now on.
    is_truncated: bool,
}

impl Stored {
    /// Returns `None` if `stored` is not a hash that can be verified.
    fn parse(password: &str, stored: &str) -> Option<Self> {
        let (input, hash, is_truncated) = match stored.strip_prefix(PREHASHED) {
            Some(hash) => (prehash(password), hash, false),
            None => (password.to_owned(), stored, password.len() > PASSWORD_BYTES_MAX),
        };
        let parts: HashParts = hash.parse().ok()?;
        (4..=COST_VERIFIED_MAX).contains(&parts.get_cost()).then_some(Self { input, parts, is_truncated })
    }
}

fn prehash(password: &str) -> String {
    STANDARD_NO_PAD.encode(Sha384::digest(password))
}

/// Returns `$2b$<cost>$<salt><digest>` of the first 72 bytes of `input`.
async fn bcrypt_text(input: &[u8], salt: [u8; 16], cost: u32) -> String {
    let digest = lanterne_bcrypt::digest(input, &salt, cost).await;
    format!("$2b${cost:02}${}{}", BASE_64.encode(salt), BASE_64.encode(digest))
}

#[cfg(test)]
mod tests;
