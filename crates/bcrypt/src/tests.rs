use std::{array, thread};

use super::{Hash, Hashes};

/// A pseudorandom number generator (Steele et al., SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A random hash, and its digest by the crate `bcrypt`.
pub(crate) fn random(numbers: &mut Numbers) -> (Hash, [u8; 23]) {
    let length = numbers.next() as usize % 80;
    let password = numbers.bytes(length);
    let salt = numbers.bytes(16).try_into().expect("16 bytes");
    let cost = 4 + numbers.next() as u32 % 3;
    // With its NUL: the crate's raw function takes the bytes as they are.
    let terminated = [password.as_slice(), &[0]].concat();
    let digest = bcrypt::bcrypt(cost, salt, &terminated[..terminated.len().min(72)]);
    (Hash::new(&password, &salt, cost), digest[..23].try_into().expect("23 of 24 bytes"))
}

/// Computes hashes in `LANES` lanes; one that ends gives its lane to the next. Returns those that would leave a lane
/// empty.
fn agree<const LANES: usize>(mut hashes: Vec<(Hash, [u8; 23])>) -> Vec<(Hash, [u8; 23])> {
    while hashes.len() >= LANES {
        let lanes: [_; LANES] = array::from_fn(|_| hashes.pop().expect("there are enough"));
        let mut group = Hashes::join(lanes.each_ref().map(|(hash, _)| hash));
        assert!(group.run(usize::MAX));
        for (lane, (_, digest)) in lanes.into_iter().enumerate() {
            let hash = group.lane(lane);
            match hash.rounds_left() {
                0 => assert_eq!(hash.digest(), digest, "lane {lane} of {LANES}"),
                _ => hashes.push((hash, digest)),
            }
        }
    }
    hashes
}

/// Compares `count` random hashes of costs 4 to 6 with the crate `bcrypt` in `LANES` lanes.
fn agree_with_the_crate<const LANES: usize>(count: usize) {
    let numbers = &mut Numbers(LANES as u64);
    let left = agree::<LANES>((0..count).map(|_| random(numbers)).collect());
    // Finish the rest alone.
    assert!(agree::<1>(left).is_empty());
}

/// Compares `count` random hashes for each number of lanes, in parallel.
fn agree_in_all_lanes(count: usize) {
    thread::scope(|scope| {
        scope.spawn(|| agree_with_the_crate::<1>(count));
        scope.spawn(|| agree_with_the_crate::<2>(count));
        scope.spawn(|| agree_with_the_crate::<3>(count));
        scope.spawn(|| agree_with_the_crate::<4>(count));
    });
}

#[test]
fn random_hashes_agree_with_the_crate() {
    agree_in_all_lanes(40);
}

#[test]
#[ignore = "takes half a minute with --release, so it runs in CI only"]
fn ten_thousand_random_hashes_agree_with_the_crate() {
    agree_in_all_lanes(2_500);
}

#[test]
#[should_panic(expected = "unfinished")]
fn an_unfinished_hash_has_no_digest() {
    let mut hash = Hash::new(b"password", &[7; 16], 4);
    assert!(!hash.run(1));
    let _ = hash.digest();
}

#[test]
fn the_table_is_the_fraction_of_pi() {
    // Machin: pi = 16 arctan(1/5) - 4 arctan(1/239), with one word before the point and two guard words at the end.
    let words = super::blowfish::PI.len() / 4 + 3;
    let one = |factor: u32| [vec![factor], vec![0; words - 1]].concat();
    let divide = |number: &mut Vec<u32>, divisor: u64| {
        number.iter_mut().fold(0, |rest, word| {
            let value = rest << 32 | u64::from(*word);
            *word = (value / divisor) as u32;
            value % divisor
        });
    };
    let add = |number: &mut Vec<u32>, other: &[u32]| {
        number.iter_mut().zip(other).rev().fold(0, |carry, (word, other)| {
            let sum = u64::from(*word) + u64::from(*other) + carry;
            *word = sum as u32;
            sum >> 32
        });
    };
    let negated = |number: &[u32]| {
        let mut negative: Vec<u32> = number.iter().map(|word| !word).collect();
        let mut unit = vec![0; words];
        unit[words - 1] = 1;
        add(&mut negative, &unit);
        negative
    };
    let arctan = |factor: u32, inverse: u64| {
        let mut power = one(factor);
        divide(&mut power, inverse);
        let mut sum = vec![0; words];
        for n in 0.. {
            let mut term = power.clone();
            divide(&mut term, 2 * n + 1);
            if term.iter().all(|word| *word == 0) {
                return sum;
            }
            add(&mut sum, &if n % 2 == 0 { term } else { negated(&term) });
            divide(&mut power, inverse * inverse);
        }
        unreachable!("the powers vanish")
    };
    let mut pi = arctan(16, 5);
    add(&mut pi, &negated(&arctan(4, 239)));
    let bytes: Vec<u8> = pi.iter().flat_map(|word| word.to_be_bytes()).collect();
    assert_eq!(bytes[..4], [0, 0, 0, 3]);
    assert_eq!(bytes[4..4 + super::blowfish::PI.len()], super::blowfish::PI[..]);
}
