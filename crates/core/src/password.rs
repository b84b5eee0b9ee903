//! Password hashes: bcrypt, computed so that a login never keeps the server from answering others.
//!
//! A WebAssembly guest that computes does not give way: with the plain function four busy clients logging in make
//! every other request wait for most of a second. The key schedule is therefore driven from here, one of its
//! `2^cost` rounds at a time, and control goes back to the host between any two of them. The rounds themselves, and
//! the format of the stored text, come from the crates `blowfish` and `bcrypt`; the tests prove both sums equal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bcrypt::{BASE_64, HashParts, Version};
use blowfish::Blowfish;
use futures_lite::future::yield_now;
use sha2::{Digest as _, Sha384};
use subtle::ConstantTimeEq as _;

/// bcrypt reads no more of a password than this many bytes.
const BCRYPT_BYTES_MAX: usize = 72;
/// Stands before a bcrypt hash whose input was not the password but Base64(SHA-384(password)), so that all bytes of
/// a long password count (ASVS 5.0, 6.2.9). Digests go in as Base64, since bcrypt implementations stop at a NUL byte.
const PREHASHED: &str = "$bcrypt-sha384";
/// The highest cost that is verified: 2^16 rounds, some five seconds. A stored hash beyond it is not one of ours.
const COST_VERIFIED_MAX: u32 = 16;

/// The work factor of new hashes: each has `2^cost` rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost(u32);

impl Cost {
    /// Below 10 a stolen hash is too cheap to guess at (OWASP Password Storage).
    pub const MIN: u32 = 10;
    /// Above 15 one login takes more than two seconds of a core.
    pub const MAX: u32 = 15;

    /// `cost` if it is within bounds.
    #[must_use]
    pub fn new(cost: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&cost).then_some(Self(cost))
    }
}

impl Default for Cost {
    /// What the Python server used: 4096 rounds, a third of a second.
    fn default() -> Self {
        Self(12)
    }
}

/// What a stored hash says of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password, or the stored text is no hash at all.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, and the hash should be made anew with the configured cost.
    RightButOutdated,
}

/// Hashes a new password with a random salt, into what the column `hashed_password` keeps: `$2b$...` for passwords of
/// up to 72 bytes, which every bcrypt library reads, and the marked form for longer ones.
pub async fn hash(password: &str, cost: Cost) -> Result<String, getrandom::Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    Ok(if password.len() <= BCRYPT_BYTES_MAX {
        bcrypt_text(password.as_bytes(), salt, cost.0).await
    } else {
        let hash = bcrypt_text(prehash(password).as_bytes(), salt, cost.0).await;
        format!("{PREHASHED}{hash}")
    })
}

/// Compares `password` with what the column `hashed_password` keeps. It takes the time of a hash of the configured
/// `cost` for an unknown account (`None`), for text that is no hash, and for a hash of a lower cost; only one of a higher
/// cost, left behind when the configured one was lowered, takes longer, until its owner logs in.
pub async fn verify(password: &str, stored: Option<&str>, cost: Cost) -> Verdict {
    let Some(stored) = stored.and_then(|stored| Stored::parse(password, stored)) else {
        bcrypt_text(password.as_bytes(), [0; 16], cost.0).await;
        return Verdict::Wrong;
    };
    let stored_cost = stored.parts.get_cost();
    let got = bcrypt_text(stored.input.as_bytes(), stored.parts.get_salt_raw(), stored_cost).await;
    // 2^s rounds, and 2^s + 2^(s+1) + ... + 2^(c-1) more, make 2^c.
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

/// A stored hash and what to feed bcrypt with to compare a password with it.
struct Stored {
    input: String,
    parts: HashParts,
    /// Whether only the first bytes of the password were compared. It must not be hashed anew then: the rest, which
    /// never counted and may be mistyped, would count from now on.
    is_truncated: bool,
}

impl Stored {
    /// `None` if `stored` is no hash that can be verified.
    fn parse(password: &str, stored: &str) -> Option<Self> {
        let (input, hash, is_truncated) = match stored.strip_prefix(PREHASHED) {
            Some(hash) => (prehash(password), hash, false),
            None => (password.to_owned(), stored, password.len() > BCRYPT_BYTES_MAX),
        };
        let parts: HashParts = hash.parse().ok()?;
        (4..=COST_VERIFIED_MAX).contains(&parts.get_cost()).then_some(Self { input, parts, is_truncated })
    }
}

fn prehash(password: &str) -> String {
    STANDARD_NO_PAD.encode(Sha384::digest(password))
}

/// `$2b$<cost>$<salt><digest>` of the first 72 bytes of `input`.
async fn bcrypt_text(input: &[u8], salt: [u8; 16], cost: u32) -> String {
    let digest = bcrypt_digest(input, salt, cost).await;
    format!("$2b${cost:02}${}{}", BASE_64.encode(salt), BASE_64.encode(digest))
}

/// bcrypt as Provos and Mazières define it ("A Future-Adaptable Password Scheme", 1999), yielding after every round.
async fn bcrypt_digest(input: &[u8], salt: [u8; 16], cost: u32) -> [u8; 23] {
    let mut key = Vec::with_capacity(BCRYPT_BYTES_MAX + 1);
    key.extend_from_slice(input);
    key.push(0);
    key.truncate(BCRYPT_BYTES_MAX);

    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1_u64 << cost {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
        yield_now().await;
    }

    let mut digest = [0; 24];
    for (chunk, plain) in digest.chunks_exact_mut(8).zip(b"OrpheanBeholderScryDoubt".chunks_exact(8)) {
        let (left, right) = plain.split_at(4);
        let mut block = [left, right].map(big_endian);
        for _ in 0..64 {
            block = state.bc_encrypt(block);
        }
        chunk[..4].copy_from_slice(&block[0].to_be_bytes());
        chunk[4..].copy_from_slice(&block[1].to_be_bytes());
    }
    // The last byte was lost in the original implementation, and so in every hash since.
    let mut kept = [0; 23];
    kept.copy_from_slice(&digest[..23]);
    kept
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;

    const CHEAP: Cost = Cost(4);

    fn check(password: &str, stored: &str) -> Verdict {
        block_on(verify(password, Some(stored), CHEAP))
    }

    #[test]
    fn published_vectors_hold() {
        // From the test suite of OpenBSD-derived implementations (jBCrypt, crypt_blowfish).
        for (password, stored) in [
            ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
            ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
            ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
            ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        ] {
            assert_eq!(check(password, stored), Verdict::RightButOutdated, "{password:?}");
            assert_eq!(check(&format!("{password}!"), stored), Verdict::Wrong, "{password:?}");
        }
    }

    #[test]
    fn random_inputs_agree_with_the_bcrypt_crate() {
        for length in [0, 1, 7, 8, 31, 55, 56, 57, 71, 72, 73, 100, 200] {
            let mut bytes = vec![0; length + 16];
            getrandom::fill(&mut bytes).expect("randomness");
            let (salt, input) = bytes.split_at(16);
            let salt: [u8; 16] = salt.try_into().expect("16 bytes");
            let theirs = bcrypt::hash_with_salt(input, 4, salt).expect("a hash");
            let ours = block_on(bcrypt_text(input, salt, 4));
            assert_eq!(ours, theirs.format_for_version(Version::TwoB), "{length} bytes");
        }
    }

    #[test]
    fn every_character_of_a_long_password_counts() {
        let long = "k".repeat(73);
        let stored = block_on(hash(&long, CHEAP)).expect("a hash");
        assert!(stored.starts_with("$bcrypt-sha384$2b$04$"), "{stored}");
        assert_eq!(check(&long, &stored), Verdict::Right);
        assert_eq!(check(&long[..72], &stored), Verdict::Wrong);
        assert_eq!(check(&format!("{long}k"), &stored), Verdict::Wrong);
    }

    #[test]
    fn hashes_of_truncating_servers_verify_as_they_did_there() {
        let stored = bcrypt::hash_with_salt("k".repeat(80), 4, [7; 16]).expect("a hash").to_string();
        assert_eq!(check(&"k".repeat(72), &stored), Verdict::Right);
        assert_eq!(check(&"k".repeat(80), &stored), Verdict::Right);
        assert_eq!(check(&"k".repeat(71), &stored), Verdict::Wrong);
    }

    #[test]
    fn another_cost_is_right_but_outdated() {
        let stored = bcrypt::hash_with_salt("secret", 5, [7; 16]).expect("a hash").to_string();
        assert_eq!(check("secret", &stored), Verdict::RightButOutdated);
    }

    #[test]
    fn what_was_typed_beyond_the_bytes_that_count_is_not_hashed_anew() {
        let stored = bcrypt::hash_with_salt("k".repeat(72), 5, [7; 16]).expect("a hash").to_string();
        assert_eq!(check(&format!("{}typo", "k".repeat(72)), &stored), Verdict::Right);
        assert_eq!(check(&"k".repeat(72), &stored), Verdict::RightButOutdated);
    }

    /// How many rounds a comparison takes: it gives way once in each.
    fn rounds(password: &str, stored: Option<&str>, cost: Cost) -> usize {
        let mut comparison = std::pin::pin!(verify(password, stored, cost));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::iter::from_fn(|| comparison.as_mut().poll(&mut context).is_pending().then_some(())).count()
    }

    #[test]
    fn unknown_wrong_and_right_cost_the_same_rounds() {
        let cost = Cost(6);
        for stored_cost in [4, 5, 6] {
            let stored = bcrypt::hash_with_salt("secret", stored_cost, [7; 16]).expect("a hash").to_string();
            for password in ["secret", "wrong", &"long".repeat(30)] {
                assert_eq!(rounds(password, Some(&stored), cost), 64, "{password:?} at {stored_cost}");
            }
        }
        assert_eq!(rounds("secret", None, cost), 64);
        assert_eq!(rounds("secret", Some("no hash"), cost), 64);
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        let real = block_on(hash("secret", CHEAP)).expect("a hash");
        let costly = real.replace("$04$", "$31$");
        for stored in ["", "secret", "$2b$", "$bcrypt-sha384", &real[..59], &costly, "$2b$04$é"] {
            assert_eq!(check("secret", stored), Verdict::Wrong, "{stored:?}");
        }
        assert_eq!(block_on(verify("secret", None, CHEAP)), Verdict::Wrong);
    }

    #[test]
    fn costs_out_of_bounds_are_refused() {
        assert_eq!([9, 10, 15, 16].map(|cost| Cost::new(cost).is_some()), [false, true, true, false]);
    }
}
