//! The hashes of concurrent tasks, two at a time in the lanes of one loop.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Hash, Hashes};

/// The number of rounds that all tasks of a thread together run before each is polled again: half a millisecond of work,
/// which delays other work of the thread. A yield costs a tenth of a round.
const ROUNDS_PER_TURN: usize = 8;

thread_local! {
    static LANES: RefCell<Lanes> = const { RefCell::new(Lanes::new()) };
    // Statics, because their constant addresses save an addition per look-up in WebAssembly: 14 % of the time of two hashes.
    static ONE: RefCell<Hash> = const { RefCell::new(Hash::EMPTY) };
    static TWO: RefCell<Hashes<2>> = const { RefCell::new(Hashes::EMPTY) };
}

/// Computes the bcrypt digest of `2^cost` rounds of the first [`PASSWORD_BYTES_MAX`](crate::PASSWORD_BYTES_MAX) bytes of
/// `password` and a NUL. Yields every few rounds.
///
/// The tasks of a thread share two lanes, in the order in which they came. A single hash does not wait for another.
/// Dropping the future frees its lane.
///
/// # Panics
/// `cost` is over 31.
pub fn digest(password: &[u8], salt: &[u8; 16], cost: u32) -> impl Future<Output = [u8; 23]> + use<> {
    Digest::new(Hash::new(password, salt, cost))
}

/// A digest in progress. Not [`Send`]: its state is in the lanes of its thread.
struct Digest {
    id: u64,
    _thread: PhantomData<*const ()>,
}

/// Hashes in progress, and those that wait for a lane.
struct Lanes {
    last_id: u64,
    running: Running,
    waiting: VecDeque<Job>,
    finished: Vec<Job>,
}

/// The tasks whose hashes are in the lanes.
enum Running {
    Nothing,
    /// In [`ONE`].
    One(u64),
    /// In [`TWO`].
    Two([u64; 2]),
}

/// A hash outside the lanes, and its task.
struct Job {
    id: u64,
    hash: Box<Hash>,
}

impl Digest {
    fn new(hash: Hash) -> Self {
        Self { id: LANES.with_borrow_mut(|lanes| lanes.add(hash)), _thread: PhantomData }
    }
}

impl Future for Digest {
    type Output = [u8; 23];

    /// Runs rounds of all hashes in the lanes, even if this one is not among them. Every task thus makes progress without
    /// being woken by another.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        LANES.with_borrow_mut(|lanes| {
            if let Some(hash) = lanes.take_finished(self.id) {
                return Poll::Ready(hash.digest());
            }
            lanes.turn();
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        // An error means that the thread has ended, and its lanes with it.
        let _ = LANES.try_with(|lanes| lanes.borrow_mut().remove(self.id));
    }
}

impl Lanes {
    const fn new() -> Self {
        Self { last_id: 0, running: Running::Nothing, waiting: VecDeque::new(), finished: Vec::new() }
    }

    /// Appends a hash to those that wait.
    fn add(&mut self, hash: Hash) -> u64 {
        self.last_id += 1;
        self.waiting.push_back(Job { id: self.last_id, hash: Box::new(hash) });
        self.last_id
    }

    /// Runs one task's share of the rounds, until a hash is finished.
    fn turn(&mut self) {
        self.fill();
        let rounds = ROUNDS_PER_TURN / self.tasks().max(1);
        let finished = match self.running {
            Running::Nothing => false,
            Running::One(_) => run_one(rounds.max(1)),
            Running::Two(_) => run_two(rounds.max(1)),
        };
        if finished {
            self.clear();
        }
    }

    fn tasks(&self) -> usize {
        let running = match self.running {
            Running::Nothing => 0,
            Running::One(_) => 1,
            Running::Two(_) => 2,
        };
        running + self.waiting.len()
    }

    /// Moves waiting hashes into free lanes.
    fn fill(&mut self) {
        while !matches!(self.running, Running::Two(_))
            && let Some(Job { id, mut hash }) = self.waiting.pop_front()
        {
            if let Running::One(first) = self.running {
                let one = ONE.replace(Hash::EMPTY);
                TWO.set(Hashes::join([&one, &hash]));
                self.running = Running::Two([first, id]);
            } else {
                // Swapped, so that the box is wiped when it is dropped.
                ONE.with_borrow_mut(|one| mem::swap(one, &mut *hash));
                self.running = Running::One(id);
            }
        }
    }

    /// Takes all hashes out of the lanes: finished ones aside, the others to the front of those that wait.
    fn clear(&mut self) {
        match mem::replace(&mut self.running, Running::Nothing) {
            Running::Nothing => {}
            Running::One(id) => {
                self.put_back(id, ONE.replace(Hash::EMPTY));
            }
            Running::Two([first, second]) => {
                let hashes = TWO.replace(Hashes::EMPTY);
                self.put_back(second, hashes.lane(1));
                self.put_back(first, hashes.lane(0));
            }
        }
    }

    fn put_back(&mut self, id: u64, hash: Hash) {
        let job = Job { id, hash: Box::new(hash) };
        match job.hash.rounds_left() {
            0 => self.finished.push(job),
            _ => self.waiting.push_front(job),
        }
    }

    fn take_finished(&mut self, id: u64) -> Option<Box<Hash>> {
        let index = self.finished.iter().position(|job| job.id == id)?;
        Some(self.finished.swap_remove(index).hash)
    }

    /// Removes a hash wherever it is.
    fn remove(&mut self, id: u64) {
        let is_running = match self.running {
            Running::Nothing => false,
            Running::One(running) => running == id,
            Running::Two(ids) => ids.contains(&id),
        };
        if is_running {
            self.clear();
        }
        self.waiting.retain(|job| job.id != id);
        self.finished.retain(|job| job.id != id);
    }
}

// Functions of their own, so that their loops have all registers.
#[inline(never)]
fn run_one(rounds: usize) -> bool {
    ONE.with_borrow_mut(|hash| hash.run(rounds))
}

#[inline(never)]
fn run_two(rounds: usize) -> bool {
    TWO.with_borrow_mut(|hashes| hashes.run(rounds))
}

#[cfg(test)]
mod tests;
