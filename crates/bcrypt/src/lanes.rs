//! The hashes of concurrent tasks, two at a time in the lanes of one loop.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Hash, Hashes};

thread_local! {
    static LANES: Rc<RefCell<Lanes>> = Rc::default();
}

/// Computes the bcrypt digest of `2^cost` rounds of the first [`PASSWORD_BYTES_MAX`](crate::PASSWORD_BYTES_MAX) bytes of
/// `password` and a NUL. Yields after every round.
///
/// The tasks of a thread share two lanes, in the order in which they came. A single hash does not wait for another.
/// Dropping the future frees its lane.
///
/// # Panics
/// `cost` is over 31.
pub fn digest(password: &[u8], salt: &[u8; 16], cost: u32) -> impl Future<Output = [u8; 23]> + use<> {
    LANES.with(|lanes| Digest::new(lanes.clone(), Hash::new(password, salt, cost)))
}

/// A digest in progress. Not [`Send`]: its state is in the lanes of its thread.
struct Digest {
    lanes: Rc<RefCell<Lanes>>,
    id: u64,
}

/// Hashes in progress, and those that wait for a lane.
#[derive(Default)]
struct Lanes {
    last_id: u64,
    running: Running,
    waiting: VecDeque<Job>,
    finished: Vec<Job>,
}

/// What is in the lanes.
#[derive(Default)]
enum Running {
    #[default]
    Nothing,
    One(Job),
    Two([u64; 2], Box<Hashes<2>>),
}

/// A hash, and the task it belongs to.
struct Job {
    id: u64,
    hash: Box<Hash>,
}

impl Digest {
    fn new(lanes: Rc<RefCell<Lanes>>, hash: Hash) -> Self {
        let id = lanes.borrow_mut().add(hash);
        Self { lanes, id }
    }
}

impl Future for Digest {
    type Output = [u8; 23];

    /// Runs one round of the hashes in the lanes, whether or not this one is among them: so every task makes progress
    /// without waking another.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut lanes = self.lanes.borrow_mut();
        if let Some(hash) = lanes.take_finished(self.id) {
            return Poll::Ready(hash.digest());
        }
        lanes.round();
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        self.lanes.borrow_mut().remove(self.id);
    }
}

impl Lanes {
    /// Appends a hash to those that wait.
    fn add(&mut self, hash: Hash) -> u64 {
        self.last_id += 1;
        self.waiting.push_back(Job { id: self.last_id, hash: Box::new(hash) });
        self.last_id
    }

    /// Fills the lanes and runs one round. A finished hash leaves its lane.
    fn round(&mut self) {
        self.fill();
        match &mut self.running {
            Running::Nothing => {}
            Running::One(job) => {
                job.hash.round();
                if job.hash.rounds_left() == 0 {
                    self.empty();
                }
            }
            Running::Two(_, hashes) => {
                hashes.round();
                if hashes.rounds_left() == 0 {
                    self.empty();
                }
            }
        }
    }

    /// Moves waiting hashes into free lanes.
    fn fill(&mut self) {
        while !matches!(self.running, Running::Two(..))
            && let Some(next) = self.waiting.pop_front()
        {
            self.running = match std::mem::take(&mut self.running) {
                Running::One(job) => Running::Two([job.id, next.id], Box::new(Hashes::join([&job.hash, &next.hash]))),
                _ => Running::One(next),
            };
        }
    }

    /// Takes all hashes out of the lanes: finished ones aside, the others to the front of those that wait.
    fn empty(&mut self) {
        let jobs = match std::mem::take(&mut self.running) {
            Running::Nothing => return,
            Running::One(job) => vec![job],
            Running::Two(ids, hashes) => {
                let job = |lane: usize| Job { id: ids[lane], hash: Box::new(hashes.lane(lane)) };
                vec![job(1), job(0)]
            }
        };
        for job in jobs {
            match job.hash.rounds_left() {
                0 => self.finished.push(job),
                _ => self.waiting.push_front(job),
            }
        }
    }

    fn take_finished(&mut self, id: u64) -> Option<Hash> {
        let index = self.finished.iter().position(|job| job.id == id)?;
        Some(*self.finished.swap_remove(index).hash)
    }

    /// Removes a hash wherever it is.
    fn remove(&mut self, id: u64) {
        let is_running = match &self.running {
            Running::Nothing => false,
            Running::One(job) => job.id == id,
            Running::Two(ids, _) => ids.contains(&id),
        };
        if is_running {
            self.empty();
        }
        self.waiting.retain(|job| job.id != id);
        self.finished.retain(|job| job.id != id);
    }
}

#[cfg(test)]
mod tests;
