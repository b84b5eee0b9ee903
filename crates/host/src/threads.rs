//! The threads that components run on.

use std::cell::RefCell;
use std::num::NonZero;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// The niceness of the threads for heavy requests; a process that was started with a higher one keeps it. On a processor shared
/// with one busy thread they still get a tenth of the time, so a flood of short requests does not stop all logins.
#[cfg(target_os = "linux")]
const HEAVY_NICENESS: i32 = 10;

thread_local! {
    /// On a thread for heavy requests, the threads for all others.
    static LIGHT_THREADS: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// Returns the number of processors.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Starts the threads for components, one per processor.
///
/// # Errors
/// The system cannot create a thread.
pub(crate) fn light_threads() -> Result<Runtime> {
    start("component", || {})
}

/// Starts the threads for components that answer heavy requests, one per processor. They have a lower priority, so that threads
/// with short work preempt them. `light_threads` do what others may wait for: see [`run_light`].
///
/// # Errors
/// The system cannot create a thread.
pub(crate) fn heavy_threads(light_threads: Handle) -> Result<Runtime> {
    start("heavy", move || {
        LIGHT_THREADS.set(Some(light_threads.clone()));
        // A thread inherits the niceness of the one that starts it, so set the value instead of adding to it. Only Linux has a
        // niceness for each thread.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(None, HEAVY_NICENESS) {
            log::warn!("short requests will wait for heavy ones: cannot lower the priority of a thread: {error}");
        }
    })
}

/// Starts threads, one per processor, which call `on_start` first. They check the shared queue on every pass, so that a short
/// request does not wait behind computing components.
fn start(name: &str, on_start: impl Fn() + Send + Sync + 'static) -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(processors())
        .global_queue_interval(1)
        .thread_name(name)
        .on_thread_start(on_start)
        .enable_all()
        .build()
        .context("cannot start the threads for components")
}

/// Runs `work` here, or on the light threads if this is a heavy one. Work that holds a lock must not run on a heavy thread:
/// while that waits for a processor, requests of higher priority would wait for the lock. Dropping the result cancels the work.
///
/// Returns `None` if the light threads have stopped, or if the work panicked there.
pub(crate) async fn run_light<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let Some(threads) = LIGHT_THREADS.with_borrow(Clone::clone) else {
        return Some(work.await);
    };
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, &threads);
    tasks.join_next().await?.ok()
}

#[cfg(test)]
mod tests {
    use tokio::task::spawn_blocking;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn heavy_requests_have_a_lower_priority() {
        let niceness = |threads: &Runtime| {
            let of_thread = || rustix::process::getpriority_process(None).unwrap();
            let task = threads.spawn(async move { (of_thread(), spawn_blocking(of_thread).await.unwrap()) });
            threads.block_on(task).unwrap()
        };
        let own = rustix::process::getpriority_process(None).unwrap();
        let light = light_threads().unwrap();
        let heavy = heavy_threads(light.handle().clone()).unwrap();
        let low = own.max(HEAVY_NICENESS);
        assert_eq!(niceness(&heavy), (low, low));
        assert_eq!(niceness(&light), (own, own));
    }

    #[test]
    fn light_work_leaves_heavy_threads_and_no_others() {
        let light = light_threads().unwrap();
        let heavy = heavy_threads(light.handle().clone()).unwrap();
        for threads in [&light, &heavy] {
            let thread = || Handle::current().id();
            let task = threads.spawn(async move { (thread(), run_light(async move { thread() }).await.unwrap()) });
            assert_eq!(threads.block_on(task).unwrap(), (threads.handle().id(), light.handle().id()));
        }
    }
}
