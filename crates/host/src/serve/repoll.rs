//! Running components on the threads of tokio: repeated polls, and the minimum turn before an interruption.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How long a component may compute before an epoch interrupts it: longer than most requests need. Without it, a short
/// request that meets a tick of the clock would wait until all others have had their turn.
const SLICE: Duration = Duration::from_micros(500);
/// The maximum number of polls before the thread runs other tasks.
const POLLS_MAX: usize = 100;

thread_local! {
    /// When this thread last began to poll in [`repoll`]. Scheduled commands do not set it, and yield at every tick.
    static TURN_START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Returns whether the task that runs on this thread has had it for a [`SLICE`].
pub(crate) fn has_had_its_turn() -> bool {
    TURN_START.get().is_none_or(|start| start.elapsed() >= SLICE)
}

/// Runs a future, and polls it again at once when it wakes itself.
///
/// Components yield while they compute. Each yield would make tokio reschedule the task, often on another thread: about
/// 500 times per password hash, each with a cold cache. Other components do not wait for this, since the epoch clock
/// interrupts a component as soon as there are more than threads; timers wait for [`POLLS_MAX`] polls at most.
pub(super) async fn repoll<F: Future>(future: F) -> F::Output {
    let wakeups = Arc::<Wakeups>::default();
    let waker = Waker::from(wakeups.clone());
    let mut future = pin!(future);
    std::future::poll_fn(|context| wakeups.poll(&waker, future.as_mut(), context)).await
}

/// Records whether a future was woken while it was polled.
#[derive(Default)]
struct Wakeups {
    state: AtomicU8,
    task: Mutex<Option<Waker>>,
}

const WAITING: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;

impl Wakeups {
    fn poll<F: Future>(&self, waker: &Waker, mut future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        TURN_START.set(Some(Instant::now()));
        self.task.lock().unwrap_or_else(PoisonError::into_inner).replace(context.waker().clone());
        for _ in 0..POLLS_MAX {
            self.state.swap(POLLED, Ordering::AcqRel);
            let poll = future.as_mut().poll(&mut Context::from_waker(waker));
            let is_idle = || self.state.compare_exchange(POLLED, WAITING, Ordering::AcqRel, Ordering::Acquire).is_ok();
            if poll.is_ready() || is_idle() {
                return poll;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Wakeups {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == WAITING {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}
