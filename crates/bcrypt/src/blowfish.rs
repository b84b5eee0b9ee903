//! The cipher Blowfish (Schneier, 1993) with bcrypt's key schedule, in lanes.
//!
//! The words of all lanes lie side by side in each cell, so that one base address serves all look-ups. With two lanes
//! this is the fastest layout in WebAssembly.

use std::{array, mem};

use zeroize::Zeroize as _;

/// The number of subkeys: one for each of 16 rounds, and two at the end.
pub(crate) const SUBKEYS: usize = 18;
const BOXES: usize = 4;

/// The initial subkeys and boxes: the fractional digits of pi.
pub(crate) const PI: &[u8; 4 * (SUBKEYS + BOXES * 256)] = include_bytes!("pi.bin");

/// The halves of a block, for each lane.
pub(crate) type Block<const LANES: usize> = [[u32; LANES]; 2];

/// One cipher state per lane.
pub(crate) struct Blowfish<const LANES: usize> {
    subkeys: [[u32; LANES]; SUBKEYS],
    boxes: [[[u32; LANES]; 256]; BOXES],
}

impl<const LANES: usize> Blowfish<LANES> {
    /// Zeroes.
    pub(crate) const EMPTY: Self = Self { subkeys: [[0; LANES]; SUBKEYS], boxes: [[[0; LANES]; 256]; BOXES] };

    /// Returns the initial state, before any key is applied.
    pub(crate) fn new() -> Self {
        let mut words = PI.as_chunks().0.iter().map(|bytes| [u32::from_be_bytes(*bytes); LANES]);
        let mut next = || words.next().expect("pi.bin has a word for each cell");
        let subkeys = array::from_fn(|_| next());
        Self { subkeys, boxes: array::from_fn(|_| array::from_fn(|_| next())) }
    }

    /// Changes all subkeys and boxes by `key`.
    #[inline(always)]
    pub(crate) fn expand(&mut self, key: &[[u32; LANES]; SUBKEYS]) {
        self.replace(key, |block| block);
    }

    /// Changes all subkeys and boxes by `key` and the halves of `salt` in turn.
    pub(crate) fn expand_salted(&mut self, key: &[[u32; LANES]; SUBKEYS], salt: [Block<LANES>; 2]) {
        let [mut half, mut other] = salt;
        self.replace(key, |[left, right]| {
            let mixed = [xor(left, half[0]), xor(right, half[1])];
            mem::swap(&mut half, &mut other);
            mixed
        });
    }

    /// Adds `key` to the subkeys, then replaces all subkeys and boxes, block by block: each is the block before, mixed
    /// and encrypted with what has been replaced so far.
    #[inline(always)]
    fn replace(&mut self, key: &[[u32; LANES]; SUBKEYS], mut mix: impl FnMut(Block<LANES>) -> Block<LANES>) {
        for (subkey, key) in self.subkeys.iter_mut().zip(key) {
            *subkey = xor(*subkey, *key);
        }
        let mut block = [[0; LANES]; 2];
        for i in (0..SUBKEYS).step_by(2) {
            block = self.encrypt(mix(block));
            [self.subkeys[i], self.subkeys[i + 1]] = block;
        }
        for i in 0..BOXES {
            for j in (0..256).step_by(2) {
                block = self.encrypt(mix(block));
                [self.boxes[i][j], self.boxes[i][j + 1]] = block;
            }
        }
    }

    /// Encrypts a block of each lane.
    ///
    /// Each round adds the next subkey to the half that it has just used, so that the next round need not wait for that.
    #[inline(always)]
    pub(crate) fn encrypt(&self, block: Block<LANES>) -> Block<LANES> {
        let mut left = xor(block[0], self.subkeys[0]);
        let mut right = xor(block[1], self.subkeys[1]);
        for round in 2..SUBKEYS {
            for lane in 0..LANES {
                let next = right[lane] ^ self.substitute(lane, left[lane]);
                right[lane] = left[lane] ^ self.subkeys[round][lane];
                left[lane] = next;
            }
        }
        [right, left]
    }

    /// The round function F: combines one look-up per box, each indexed by a byte of `word`. Uses shifts because
    /// `to_be_bytes` compiles to a byte swap on the critical path.
    #[inline(always)]
    fn substitute(&self, lane: usize, word: u32) -> u32 {
        let cell = |n: usize| self.boxes[n][(word >> (24 - 8 * n)) as usize & 0xff][lane];
        (cell(0).wrapping_add(cell(1)) ^ cell(2)).wrapping_add(cell(3))
    }

    /// Interleaves the states of single ciphers, one per lane.
    pub(crate) fn join(ciphers: [&Blowfish<1>; LANES]) -> Self {
        Self {
            subkeys: join(ciphers.map(|cipher| &cipher.subkeys)),
            boxes: array::from_fn(|i| join(ciphers.map(|cipher| &cipher.boxes[i]))),
        }
    }

    /// Copies the state of one lane.
    pub(crate) fn lane(&self, lane: usize) -> Blowfish<1> {
        let one = |cell: [u32; LANES]| [cell[lane]];
        Blowfish { subkeys: self.subkeys.map(one), boxes: self.boxes.map(|cells| cells.map(one)) }
    }

    /// Zeroes the state, from which the password could be attacked.
    pub(crate) fn wipe(&mut self) {
        self.subkeys.zeroize();
        self.boxes.zeroize();
    }
}

/// Interleaves arrays of cells, one per lane.
pub(crate) fn join<const LANES: usize, const CELLS: usize>(
    lanes: [&[[u32; 1]; CELLS]; LANES],
) -> [[u32; LANES]; CELLS] {
    array::from_fn(|cell| lanes.map(|lane| lane[cell][0]))
}

#[inline(always)]
fn xor<const LANES: usize>(a: [u32; LANES], b: [u32; LANES]) -> [u32; LANES] {
    array::from_fn(|lane| a[lane] ^ b[lane])
}
