//! wasmtime's engine, its limits, and the threads that guests run on.

use anyhow::{Context as _, Result, anyhow};
use tokio::runtime::{Builder, Runtime};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::clock::{Busy, Clock};

/// The most memory that one instance may have.
pub(crate) const MEMORY_SIZE_MAX: usize = 256 << 20;
/// How many instances answer requests at the same time.
pub(crate) const INSTANCES_MAX: usize = 64;
/// Instances that are ending still hold their place in the pool.
const POOL_SIZE: u32 = 2 * INSTANCES_MAX as u32;
/// Core modules in one component: the program, and small adapters around it.
const CORE_INSTANCES_PER_COMPONENT: u32 = 8;

/// A configured engine, and its clock.
pub struct Engine {
    engine: wasmtime::Engine,
    clock: Clock,
}

impl Engine {
    /// Makes the engine and starts its clock.
    pub(crate) fn new() -> Result<Self> {
        // The pool reserves address space, which some containers limit; without it instances are
        // slower to make, and nothing else changes.
        let engine = wasmtime::Engine::new(config().allocation_strategy(pool()))
            .or_else(|_| wasmtime::Engine::new(&config()))
            .map_err(|error| anyhow!("cannot start wasmtime: {error:#}"))?;
        let clock = Clock::start(&engine)?;
        Ok(Self { engine, clock })
    }

    /// To be kept while a guest works.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.clock.busy()
    }

    /// The engine itself.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

/// Bounds checks and Spectre mitigations stay as wasmtime has them: on.
fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true);
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

/// The threads that guests run on. Every pass looks at what other threads have queued, so that a
/// short request does not wait behind guests that compute.
pub fn guest_runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .global_queue_interval(1)
        .thread_name("guest")
        .enable_all()
        .build()
        .context("cannot start the threads for components")
}
