//! Limits how long a component may compute while others wait for its thread.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How long a component may compute while others wait for its thread: longer than most requests need. Without it, a short
/// request that meets a tick of the clock would wait until all others have had their turn.
const SLICE: Duration = Duration::from_micros(500);
/// How long a component may compute otherwise. It is long because a yield costs some ten microseconds. It is finite because
/// statements of heavy requests, and heavy instances that outnumber their threads, do not count as busy, and because a time limit
/// takes effect only at a yield.
const LONG_SLICE: Duration = Duration::from_millis(10);
/// The maximum number of polls before the thread runs other tasks.
const POLLS_MAX: usize = 100;

thread_local! {
    /// When the turn of the component that runs on this thread began. Commands have none, and yield at every tick.
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Returns whether the component that runs on this thread must yield. `is_crowded` tells whether others wait for light threads.
pub(crate) fn must_yield(is_crowded: bool) -> bool {
    TURN.get().is_none_or(|start| is_over(start.elapsed(), is_crowded))
}

/// Returns whether a turn that has lasted for `time` is over.
fn is_over(time: Duration, is_crowded: bool) -> bool {
    time >= if is_crowded { SLICE } else { LONG_SLICE }
}

/// Runs a future, and polls it again at once when it wakes itself.
///
/// Components yield while they compute. Each yield would make tokio reschedule the task, often on another thread: about
/// 500 times per password hash, each with a cold cache. Other components do not wait for this, since [`must_yield`] ends the
/// turn when they do; timers wait for [`POLLS_MAX`] polls at most.
pub(super) async fn repoll<F: Future>(future: F) -> F::Output {
    let wakeups = Arc::<Wakeups>::default();
    let waker = Waker::from(wakeups.clone());
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        TURN.set(Some(Instant::now()));
        let poll = wakeups.poll(&waker, future.as_mut(), context);
        TURN.set(None);
        poll
    })
    .await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_short_only_if_others_wait() {
        assert!(is_over(SLICE, true));
        assert!(!is_over(SLICE, false));
        assert!(is_over(LONG_SLICE, false));
    }

    #[test]
    fn only_a_component_that_serves_has_a_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(repoll(async { TURN.get().is_some() })));
        assert!(must_yield(false));
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut polls = 0;
        let future = std::future::poll_fn(|context: &mut Context<'_>| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < POLLS_MAX { Poll::Pending } else { Poll::Ready(()) }
        });
        let mut repolled = pin!(repoll(future));
        let mut context = Context::from_waker(Waker::noop());
        assert!(runtime.block_on(async { repolled.as_mut().poll(&mut context) }).is_ready());
    }
}
