//! The wasmtime engine, and the epoch clock that makes computing components yield.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use rustix::process::{Resource, getrlimit};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::threads::processors;

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

/// The epoch interval while components run. At each tick they check whether they must yield.
const TICK: Duration = Duration::from_millis(1);
/// How often the clock looks for components otherwise.
const IDLE_TICK: Duration = Duration::from_millis(100);
/// How long the clock looks for components every [`TICK`] after the last one: waking it costs more than a few checks.
const FAST_FOR: Duration = Duration::from_secs(1);

/// A configured engine and its clock, which stops when the engine is dropped.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
    clock: Arc<Clock>,
    clock_thread: Thread,
}

/// Interrupts components, so that they check whether they must yield.
pub(crate) struct Clock {
    /// The number of light threads.
    threads: usize,
    /// The number of running components.
    running_count: AtomicUsize,
    /// The number of running components that use light threads.
    busy_count: AtomicUsize,
    is_slow: AtomicBool,
}

/// Keeps the clock ticking until it is dropped.
pub(crate) struct Running(Arc<Clock>);

/// Counts a component as busy until it is dropped.
pub(crate) struct Busy(Running);

impl Engine {
    pub(crate) fn new() -> Result<Self> {
        let wasmtime = match getrlimit(Resource::As).current {
            None => wasmtime::Engine::new(config().allocation_strategy(pool())),
            Some(_) => wasmtime::Engine::new(&compact_config()),
        };
        let wasmtime = wasmtime.map_err(|error| anyhow!("cannot start wasmtime: {error:#}"))?;
        let clock = Arc::new(Clock {
            threads: processors(),
            running_count: AtomicUsize::default(),
            busy_count: AtomicUsize::default(),
            is_slow: AtomicBool::default(),
        });
        let (engine, shared) = (wasmtime.weak(), clock.clone());
        let thread = thread::Builder::new().name("clock".into()).spawn(move || shared.run(&engine));
        let clock_thread = thread.context("cannot start a thread")?.thread().clone();
        Ok(Self { wasmtime, clock, clock_thread })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// Returns the clock.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Lets the clock tick for a component until the guard is dropped.
    pub(crate) fn running(&self) -> Running {
        self.clock.running_count.fetch_add(1, Ordering::SeqCst);
        if self.clock.is_slow.load(Ordering::SeqCst) {
            self.clock_thread.unpark();
        }
        Running(self.clock.clone())
    }

    /// Counts a component as busy until the guard is dropped: it needs a light thread. Call it before the component
    /// waits for one, because others yield to those that wait.
    pub(crate) fn busy(&self) -> Busy {
        self.clock.busy_count.fetch_add(1, Ordering::SeqCst);
        Busy(self.running())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running_count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy_count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clock {
    /// Returns whether more components are busy than there are threads for them.
    pub(crate) fn is_crowded(&self) -> bool {
        self.busy_count.load(Ordering::SeqCst) > self.threads
    }

    fn run(&self, engine: &wasmtime::EngineWeak) {
        let mut last_running = Instant::now();
        while let Some(engine) = engine.upgrade() {
            if self.running_count.load(Ordering::SeqCst) > 0 {
                engine.increment_epoch();
                last_running = Instant::now();
            }
            drop(engine);
            let is_slow = last_running.elapsed() > FAST_FOR;
            self.is_slow.store(is_slow, Ordering::SeqCst);
            // A component that started before the store has not woken this thread.
            let is_idle = is_slow && self.running_count.load(Ordering::SeqCst) == 0;
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
