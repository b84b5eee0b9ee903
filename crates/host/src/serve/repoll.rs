//! Futures that wake themselves.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How often a future is polled before its thread has a look at other tasks.
const POLLS_MAX: usize = 100;

/// Runs a future, and polls it again at once when it wakes itself.
///
/// Components yield while they compute. With each yield, tokio would wake another thread, which takes the task over: for
/// a password hash that are 500 wake-ups, and as many cold caches. This makes no task wait longer, because the epoch clock
/// interrupts components when others wait.
pub(super) async fn repoll<F: Future>(future: F) -> F::Output {
    let wakeups = Arc::<Wakeups>::default();
    let waker = Waker::from(wakeups.clone());
    let mut future = pin!(future);
    std::future::poll_fn(|context| wakeups.poll(&waker, future.as_mut(), context)).await
}

/// Tells whether a future was woken while it was polled.
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
            self.state.store(POLLED, Ordering::SeqCst);
            let poll = future.as_mut().poll(&mut Context::from_waker(waker));
            if poll.is_ready() || self.state.swap(WAITING, Ordering::SeqCst) == POLLED {
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
        if self.state.compare_exchange(POLLED, WOKEN, Ordering::SeqCst, Ordering::SeqCst) == Err(WAITING) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}
