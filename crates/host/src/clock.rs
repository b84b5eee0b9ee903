//! The clock that makes computing guests yield.
//!
//! It ticks fast while guests work. Otherwise it slows down, so that an idle server does not wake
//! the processor a thousand times a second, but it never stops: a guest may go on after its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How often a computing guest lets the others go on.
const TICK: Duration = Duration::from_millis(1);
/// How often it does so when no request waits.
const SLOW_TICK: Duration = Duration::from_millis(100);
/// How long the clock stays fast without work: waking it costs more than a few ticks.
const FAST_FOR: Duration = Duration::from_secs(1);

/// A running clock. It stops with its engine.
pub(crate) struct Clock {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    busy_count: AtomicUsize,
    is_slow: AtomicBool,
}

/// While this lives, the clock is fast.
pub(crate) struct Busy<'a>(&'a Shared);

impl Clock {
    /// Starts the clock for `engine`.
    pub(crate) fn start(engine: &wasmtime::Engine) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let (engine, seen) = (engine.weak(), shared.clone());
        let run = move || {
            let mut last_busy = Instant::now();
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                if seen.busy_count.load(Ordering::SeqCst) > 0 {
                    last_busy = Instant::now();
                }
                let is_slow = last_busy.elapsed() > FAST_FOR;
                seen.is_slow.store(is_slow, Ordering::SeqCst);
                thread::park_timeout(if is_slow { SLOW_TICK } else { TICK });
            }
        };
        let thread = thread::Builder::new().name("clock".into()).spawn(run);
        let thread = thread.context("cannot start a thread")?.thread().clone();
        Ok(Self { shared, thread })
    }

    /// Keeps the clock fast for as long as the result lives.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.shared.busy_count.fetch_add(1, Ordering::SeqCst);
        if self.shared.is_slow.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Busy(&self.shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy_count.fetch_sub(1, Ordering::SeqCst);
    }
}
