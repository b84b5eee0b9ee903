//! The wasmtime engine, and the epoch clock that makes computing components yield.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Builder, Runtime};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The most memory of one instance.
pub(crate) const MEMORY_SIZE_MAX: usize = 256 << 20;
/// The most instances of a component that answer requests at the same time.
pub(crate) const INSTANCES_MAX: usize = 64;
/// The address space reserved per instance, in bytes, when it is limited: linear memory, which may grow, and the stack.
pub(crate) const INSTANCE_ADDRESS_SPACE: usize = 64 << 20;
/// Twice as many, since instances that are being dropped still occupy a slot.
const POOL_SIZE: u32 = 2 * INSTANCES_MAX as u32;
/// Core modules in one component: the program, and small adapters around it.
const CORE_INSTANCES_PER_COMPONENT: u32 = 8;

/// The epoch interval while more components are busy than there are threads: a computing component yields this often.
const TICK: Duration = Duration::from_millis(1);
/// The epoch interval otherwise. It is long because a yield costs some ten microseconds, but finite because a component
/// may continue after its response, and requests have a time limit.
const IDLE_TICK: Duration = Duration::from_millis(100);
/// How long the clock checks every [`TICK`] after the last work: waking it costs more than a few checks.
const FAST_FOR: Duration = Duration::from_secs(1);

/// A configured engine and its clock, which stops when the engine is dropped.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    clock: Arc<Clock>,
    clock_thread: Thread,
}

#[derive(Default)]
struct Clock {
    busy_count: AtomicUsize,
    is_slow: AtomicBool,
}

/// Counts a component as busy until it is dropped.
pub(crate) struct Busy(Arc<Clock>);

impl Engine {
    pub(crate) fn new() -> Result<Self> {
        let wasmtime = match getrlimit(Resource::As).current {
            None => wasmtime::Engine::new(config().allocation_strategy(pool())),
            Some(_) => wasmtime::Engine::new(&compact_config()),
        };
        let wasmtime = wasmtime.map_err(|error| anyhow!("cannot start wasmtime: {error:#}"))?;
        let clock = Arc::<Clock>::default();
        let (engine, shared) = (wasmtime.weak(), clock.clone());
        let thread = thread::Builder::new().name("clock".into()).spawn(move || shared.run(&engine));
        let clock_thread = thread.context("cannot start a thread")?.thread().clone();
        Ok(Self { wasmtime, clock, clock_thread })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// Counts a component as busy until the guard is dropped. Call it before the component waits for a thread, because
    /// the clock ticks for those that wait.
    pub(crate) fn busy(&self) -> Busy {
        self.clock.busy_count.fetch_add(1, Ordering::SeqCst);
        if self.clock.is_slow.load(Ordering::SeqCst) {
            self.clock_thread.unpark();
        }
        Busy(self.clock.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy_count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clock {
    fn run(&self, engine: &wasmtime::EngineWeak) {
        let threads = processors();
        let (mut last_busy, mut last_tick) = (Instant::now(), Instant::now());
        while let Some(engine) = engine.upgrade() {
            let busy_count = self.busy_count.load(Ordering::SeqCst);
            if busy_count > threads || last_tick.elapsed() >= IDLE_TICK {
                engine.increment_epoch();
                last_tick = Instant::now();
            }
            drop(engine);
            if busy_count > 0 {
                last_busy = Instant::now();
            }
            let is_slow = last_busy.elapsed() > FAST_FOR;
            self.is_slow.store(is_slow, Ordering::SeqCst);
            // A component that became busy before the store has not woken this thread.
            let is_idle = is_slow && self.busy_count.load(Ordering::SeqCst) == 0;
            thread::park_timeout(if is_idle { IDLE_TICK } else { TICK });
        }
    }
}

/// wasmtime's defaults keep bounds checks and Spectre mitigations on.
fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true);
    config
}

/// The configuration for a process with limited address space: no pool, and no 4 GiB reservation per memory. Instances
/// start and run more slowly, because memory accesses need explicit bounds checks.
fn compact_config() -> Config {
    let mut config = config();
    config
        .memory_reservation(INSTANCE_ADDRESS_SPACE as u64 / 2)
        .memory_reservation_for_growth(1 << 20)
        .memory_guard_size(0);
    config
}

fn pool() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_SIZE)
        .total_core_instances(POOL_SIZE * CORE_INSTANCES_PER_COMPONENT)
        .total_memories(POOL_SIZE)
        .total_tables(2 * POOL_SIZE)
        .total_stacks(2 * POOL_SIZE)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memory_size(MEMORY_SIZE_MAX);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Returns the number of processors, which is also the number of threads that components run on.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Starts the threads that components run on. They check the shared queue on every pass, so that a short request does not
/// wait behind computing components.
pub(crate) fn component_threads() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(processors())
        .global_queue_interval(1)
        .thread_name("component")
        .enable_all()
        .build()
        .context("cannot start the threads for components")
}
