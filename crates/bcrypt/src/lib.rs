//! bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", 1999), round by round and in lanes.
//!
//! The time of bcrypt is spent waiting for table look-ups, each of which depends on the one before. Two hashes computed
//! in the same loop, one in each lane, wait together and take little longer than one. [`digest`] pairs the hashes of
//! concurrent tasks, and yields after eight rounds at most.

mod blowfish;
mod lanes;

use std::array;

use zeroize::Zeroize as _;

use self::blowfish::{Blowfish, SUBKEYS};
pub use self::lanes::digest;

/// The number of password bytes that bcrypt uses, including the terminating NUL. The rest is ignored.
pub const PASSWORD_BYTES_MAX: usize = 72;

/// Hashes in progress, one in each lane. Wiped when dropped.
struct Hashes<const LANES: usize> {
    cipher: Blowfish<LANES>,
    passwords: [[u32; LANES]; SUBKEYS],
    salts: [[u32; LANES]; SUBKEYS],
    rounds_left: [u32; LANES],
}

/// One hash in progress.
type Hash = Hashes<1>;

impl Hash {
    /// Starts a hash of `2^cost` rounds of the first [`PASSWORD_BYTES_MAX`] bytes of `password` and a NUL.
    fn new(password: &[u8], salt: &[u8; 16], cost: u32) -> Self {
        let rounds = 1_u32.checked_shl(cost).expect("the cost is at most 31");
        let bytes = password.iter().chain(&[0]).take(PASSWORD_BYTES_MAX);
        let passwords = words(bytes.copied().cycle());
        let salts = words(salt.iter().copied().cycle());
        let mut cipher = Blowfish::new();
        cipher.expand_salted(&passwords, [[salts[0], salts[1]], [salts[2], salts[3]]]);
        Self { cipher, passwords, salts, rounds_left: [rounds] }
    }

    /// Returns the digest, after all rounds.
    fn digest(&self) -> [u8; 23] {
        assert_eq!(self.rounds_left, [0], "digest of an unfinished hash");
        let mut digest = [0; 24];
        let plain = words::<6>(b"OrpheanBeholderScryDoubt".iter().copied());
        for (block, out) in plain.as_chunks().0.iter().zip(digest.as_chunks_mut().0) {
            let [[left], [right]] = (0..64).fold(*block, |block, _| self.cipher.encrypt(block));
            *out = (u64::from(left) << 32 | u64::from(right)).to_be_bytes();
        }
        // The original implementation dropped the last byte.
        let [digest @ .., _] = digest;
        digest
    }
}

impl<const LANES: usize> Hashes<LANES> {
    /// No hashes.
    const EMPTY: Self = Self {
        cipher: Blowfish::EMPTY,
        passwords: [[0; LANES]; SUBKEYS],
        salts: [[0; LANES]; SUBKEYS],
        rounds_left: [0; LANES],
    };

    /// Combines hashes in progress, one per lane.
    fn join(hashes: [&Hash; LANES]) -> Self {
        Self {
            cipher: Blowfish::join(hashes.map(|hash| &hash.cipher)),
            passwords: blowfish::join(hashes.map(|hash| &hash.passwords)),
            salts: blowfish::join(hashes.map(|hash| &hash.salts)),
            rounds_left: hashes.map(|hash| hash.rounds_left[0]),
        }
    }

    /// Extracts the hash of one lane.
    fn lane(&self, lane: usize) -> Hash {
        Hash {
            cipher: self.cipher.lane(lane),
            passwords: self.passwords.map(|word| [word[lane]]),
            salts: self.salts.map(|word| [word[lane]]),
            rounds_left: [self.rounds_left[lane]],
        }
    }

    /// Returns the number of rounds until the first hash is finished.
    fn rounds_left(&self) -> u32 {
        self.rounds_left.iter().copied().min().unwrap_or(0)
    }

    /// Runs up to `rounds` rounds of every hash. Returns whether one is finished.
    #[inline(always)]
    fn run(&mut self, rounds: usize) -> bool {
        let rounds = self.rounds_left().min(rounds as u32);
        for _ in 0..rounds {
            self.cipher.expand(&self.passwords);
            self.cipher.expand(&self.salts);
        }
        self.rounds_left = self.rounds_left.map(|left| left - rounds);
        self.rounds_left() == 0
    }
}

impl<const LANES: usize> Drop for Hashes<LANES> {
    fn drop(&mut self) {
        self.passwords.zeroize();
        self.cipher.wipe();
    }
}

/// Reads big-endian words.
fn words<const WORDS: usize>(mut bytes: impl Iterator<Item = u8>) -> [[u32; 1]; WORDS] {
    array::from_fn(|_| [bytes.by_ref().take(4).fold(0, |word, byte| word << 8 | u32::from(byte))])
}

#[cfg(test)]
mod tests;
