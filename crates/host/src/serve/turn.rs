//! The turns of components: where one runs, and for how long.
//!
//! A component runs on the threads for components. While heavy requests occupy all of these, another request would wait for a
//! tick of the epoch clock, so it starts on the network thread instead. Most end there. One that computes for longer than
//! [`SLICE`] continues on the threads for components, so that it does not delay connections.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::engine::Engine;

/// How long a component may compute while others wait for its thread: longer than most requests need. Without it, a short
/// request that meets a tick of the clock would wait until all others have had their turn.
const SLICE: Duration = Duration::from_micros(500);
/// How long a component may compute while none waits. It is long because a yield costs some ten microseconds, but finite
/// because a component may continue after its response, and requests have a time limit.
const LONG_SLICE: Duration = Duration::from_millis(100);
/// The maximum number of polls before the thread runs other tasks.
const POLLS_MAX: usize = 100;

thread_local! {
    /// The turn of the component that runs on this thread. Commands have none, and yield at every tick.
    static TURN: Cell<Option<Turn>> = const { Cell::new(None) };
}

/// The turn of a component on one thread.
#[derive(Clone, Copy)]
struct Turn {
    start: Instant,
    /// Whether this is the network thread.
    is_on_network: bool,
    /// Whether the component must yield.
    is_over: bool,
}

impl Turn {
    fn new(is_on_network: bool) -> Self {
        Self { start: Instant::now(), is_on_network, is_over: false }
    }

    /// Ends the turn if it has lasted for `slice`.
    fn end_after(&mut self, slice: Duration) {
        self.is_over |= self.start.elapsed() >= slice;
        TURN.set(Some(*self));
    }
}

/// Returns whether the component that runs on this thread must yield. `is_crowded` tells whether others wait for the threads
/// for components.
pub(crate) fn must_yield(is_crowded: bool) -> bool {
    let Some(mut turn) = TURN.get() else { return true };
    turn.end_after(if turn.is_on_network || is_crowded { SLICE } else { LONG_SLICE });
    turn.is_over
}

/// Runs a request that is not heavy to its end in a task: on `threads` or, while heavy requests occupy all of these, on this
/// thread, the network thread.
pub(super) fn spawn(engine: &Arc<Engine>, threads: &Handle, request: impl Future<Output = ()> + Send + 'static) {
    if engine.are_threads_occupied() {
        tokio::spawn(run_on_network(engine.clone(), threads.clone(), Box::pin(request)));
    } else {
        spawn_on_threads(engine, threads, request);
    }
}

fn spawn_on_threads(engine: &Engine, threads: &Handle, request: impl Future<Output = ()> + Send + 'static) {
    let busy = engine.busy();
    threads.spawn(async move {
        request.await;
        drop(busy);
    });
}

/// Runs a request on the network thread until its turn is over, and the rest on `threads`.
async fn run_on_network<F: Future<Output = ()> + Send + 'static>(
    engine: Arc<Engine>,
    threads: Handle,
    mut request: Pin<Box<F>>,
) {
    let _running = engine.running();
    let mut busy = None;
    let has_ended = std::future::poll_fn(|context| match poll_on_network(&threads, request.as_mut(), context) {
        Some(Poll::Ready(())) => Poll::Ready(true),
        Some(Poll::Pending) => {
            // Its timers and sockets need `threads`, which others must therefore leave now and then.
            busy.get_or_insert_with(|| engine.busy());
            Poll::Pending
        }
        None => Poll::Ready(false),
    });
    if !has_ended.await {
        spawn_on_threads(&engine, &threads, request);
    }
}

/// Polls on the network thread. Returns `None` if the turn is over. What is polled has its tasks and timers on `threads`.
fn poll_on_network<F: Future>(
    threads: &Handle,
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Option<Poll<F::Output>> {
    let _runtime = threads.enter();
    TURN.set(Some(Turn::new(true)));
    let poll = future.poll(context);
    let is_over = TURN.take().is_some_and(|turn| turn.is_over);
    (poll.is_ready() || !is_over).then_some(poll)
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
    fn poll<F: Future>(&self, waker: &Waker, future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        if TURN.get().is_some_and(|turn| turn.is_on_network) {
            return self.poll_in_turn(waker, future, context);
        }
        TURN.set(Some(Turn::new(false)));
        let poll = self.poll_in_turn(waker, future, context);
        TURN.set(None);
        poll
    }

    fn poll_in_turn<F: Future>(
        &self,
        waker: &Waker,
        mut future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).replace(context.waker().clone());
        for _ in 0..POLLS_MAX {
            self.state.swap(POLLED, Ordering::AcqRel);
            let poll = future.as_mut().poll(&mut Context::from_waker(waker));
            let is_idle = || self.state.compare_exchange(POLLED, WAITING, Ordering::AcqRel, Ordering::Acquire).is_ok();
            if poll.is_ready() || is_idle() {
                return poll;
            }
            if let Some(mut turn) = TURN.get().filter(|turn| turn.is_on_network) {
                turn.end_after(SLICE);
                if turn.is_over {
                    break;
                }
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
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Runs a request while heavy ones occupy the threads for components. Returns the name of its thread before and after
    /// `interruption`.
    fn parts(interruption: impl Future<Output = ()> + Send + 'static) -> Vec<String> {
        let engine = Arc::new(Engine::new().unwrap());
        let threads = crate::engine::component_threads().unwrap();
        let _computing: Vec<_> = (0..crate::engine::processors()).map(|_| engine.computing()).collect();
        let (sender, parts) = mpsc::channel();
        let request = async move {
            sender.send(here()).unwrap();
            interruption.await;
            sender.send(here()).unwrap();
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            spawn(&engine, threads.handle(), request);
            // The sender is dropped when the request ends.
            let mut names = Vec::new();
            loop {
                match parts.try_recv() {
                    Ok(name) => names.push(name),
                    Err(mpsc::TryRecvError::Empty) => tokio::task::yield_now().await,
                    Err(mpsc::TryRecvError::Disconnected) => return names,
                }
            }
        })
    }

    /// Returns the name of this thread.
    fn here() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_short_request_ends_on_the_network_thread() {
        assert_eq!(parts(async {}), [here(), here()]);
    }

    #[test]
    fn a_request_that_waits_continues_on_the_network_thread() {
        assert_eq!(parts(tokio::task::yield_now()), [here(), here()]);
    }

    #[test]
    fn a_request_that_computes_for_long_leaves_the_network_thread() {
        let computing = async {
            while !must_yield(false) {}
            tokio::task::yield_now().await;
        };
        assert_eq!(parts(computing), [here(), "component".to_owned()]);
    }

    #[test]
    fn a_request_that_yields_for_long_leaves_the_network_thread() {
        let yielding = repoll(async {
            for _ in 0..POLLS_MAX {
                thread::sleep(SLICE);
                let mut is_first = true;
                std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
            }
        });
        assert_eq!(parts(yielding), [here(), "component".to_owned()]);
    }

    #[test]
    fn a_request_starts_on_the_threads_for_components_while_one_is_free() {
        let engine = Arc::new(Engine::new().unwrap());
        let threads = crate::engine::component_threads().unwrap();
        let _computing: Vec<_> = (1..crate::engine::processors()).map(|_| engine.computing()).collect();
        let (sender, name) = mpsc::channel();
        spawn(&engine, threads.handle(), async move { sender.send(here()).unwrap() });
        assert_eq!(name.recv(), Ok("component".to_owned()));
    }
}
