//! The threads that components run on.

use std::cell::OnceCell;
use std::future::pending;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
#[cfg(target_os = "linux")]
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinSet};

/// How much nicer than the process the threads for heavy requests are. On a processor shared with one busy thread, each still
/// gets about a tenth of the time, so a flood of short requests does not stop all logins.
#[cfg(target_os = "linux")]
const HEAVY_NICENESS: i32 = 10;
/// The highest niceness, which is the lowest priority.
#[cfg(target_os = "linux")]
const NICENESS_MAX: i32 = 19;

thread_local! {
    /// On a heavy thread, the runtime of the light ones.
    static LIGHT_THREADS: OnceCell<Handle> = const { OnceCell::new() };
}

/// Returns the number of processors.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Starts the light threads, one per processor. They run all components except those that answer heavy requests.
///
/// # Errors
/// The system cannot create a thread.
pub(crate) fn light_threads() -> Result<Runtime> {
    start("component", || {})
}

/// Starts the heavy threads, one per processor. They run the components that answer heavy requests, at a lower priority, so that
/// threads with short work preempt them. Work that holds an SQLite lock goes to `light_threads`: see [`run_light`].
///
/// # Errors
/// The system cannot create a thread, or the niceness of this one cannot be read.
pub(crate) fn heavy_threads(light_threads: Handle) -> Result<Runtime> {
    // Only Linux has a niceness for each thread.
    #[cfg(target_os = "linux")]
    let niceness = (getpriority_process(None)? + HEAVY_NICENESS).min(NICENESS_MAX);
    start("heavy", move || {
        // Called once on each thread.
        let _ = LIGHT_THREADS.with(|threads| threads.set(light_threads.clone()));
        // A thread inherits the niceness of the one that starts it, so set the value instead of adding to it.
        #[cfg(target_os = "linux")]
        if let Err(error) = setpriority_process(None, niceness) {
            log::warn!("cannot lower the priority of heavy requests, so they may delay short ones: {error}");
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

/// Runs `work` on a light thread: in place, unless the caller is on a heavy one. Work that holds an SQLite lock must not run on a
/// heavy thread: if the thread were preempted, requests of higher priority would wait for the lock. Dropping the future cancels
/// the work at its next await, possibly after the drop returns.
pub(crate) async fn run_light<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let Some(threads) = LIGHT_THREADS.with(|threads| threads.get().cloned()) else {
        return work.await;
    };
    // Unlike a `JoinHandle`, aborts the task when dropped.
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, &threads);
    match tasks.join_next().await.map(|result| result.map_err(JoinError::try_into_panic)) {
        Some(Ok(result)) => result,
        Some(Err(Ok(panic))) => resume_unwind(panic),
        // The light threads have stopped, and the heavy ones stop with them.
        Some(Err(Err(_))) | None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::task::spawn_blocking;

    use super::*;

    fn both() -> [Runtime; 2] {
        let light = light_threads().unwrap();
        let heavy = heavy_threads(light.handle().clone()).unwrap();
        [light, heavy]
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn heavy_requests_have_a_lower_priority() {
        let niceness = |threads: &Runtime| {
            let of_thread = || getpriority_process(None).unwrap();
            let task = threads.spawn(async move { (of_thread(), spawn_blocking(of_thread).await.unwrap()) });
            threads.block_on(task).unwrap()
        };
        let [light, heavy] = both();
        let own = getpriority_process(None).unwrap();
        let lower = (own + HEAVY_NICENESS).min(NICENESS_MAX);
        assert_eq!(niceness(&heavy), (lower, lower));
        assert_eq!(niceness(&light), (own, own));
    }

    #[test]
    fn light_work_moves_only_from_heavy_threads() {
        let [light, heavy] = both();
        for threads in [&light, &heavy] {
            let runtime = || Handle::current().id();
            let task = threads.spawn(async move { (runtime(), run_light(async move { runtime() }).await) });
            assert_eq!(threads.block_on(task).unwrap(), (threads.handle().id(), light.handle().id()));
        }
    }

    #[test]
    fn dropping_the_result_cancels_light_work() {
        for threads in &both() {
            let (start, started) = oneshot::channel();
            let (guard, dropped) = oneshot::channel::<()>();
            let task = threads.spawn(run_light(async move {
                start.send(()).unwrap();
                let _guard = guard;
                pending::<()>().await;
            }));
            threads.block_on(started).unwrap();
            task.abort();
            assert!(threads.block_on(dropped).is_err());
        }
    }

    #[test]
    fn a_panic_of_light_work_is_one_of_its_caller() {
        for threads in &both() {
            let task = threads.spawn(run_light(async { panic!("on purpose") }));
            assert!(threads.block_on(task).unwrap_err().is_panic());
        }
    }
}
