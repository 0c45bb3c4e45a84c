//! The one wasmtime engine: what is compiled in, and how much room instances have.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{Options, measure};

/// Resident memory that a slot keeps for its next instance: enough for a small plugin, so that a fresh instance
/// costs no page faults.
const RESIDENT_BYTES: usize = 2 << 20;
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// What a plugin's calls inside each other may take of its thread's stack.
pub(crate) const STACK_BYTES_MAX: usize = 512 << 10;
/// A Rust plugin has three core instances in its component, one in JavaScript fewer than twenty, one in Python about
/// forty: its C libraries, which are linked as they are loaded, and stubs for the WASI interfaces that they ask for.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 16;

pub(crate) fn engine(options: &Options) -> wasmtime::Result<Engine> {
    let count = options.instances_max.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(count)
        .total_tables(count.saturating_mul(4).max(TABLES_PER_COMPONENT))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT.min(count))
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_memory_size(options.memory_bytes_max)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES / 32)
        .pagemap_scan(Enabled::Auto);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(STACK_BYTES_MAX)
        // Calls are synchronous, and the machinery for others triples the cost of an empty one.
        .concurrency_support(false)
        // Not fuel: it costs twice as much in a busy plugin, and is for counting only.
        .epoch_interruption(true)
        // Modern toolchains emit neither, and each is more to trust.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    if options.count_instructions {
        config.consume_fuel(true);
        measure::start_counting();
    }
    Engine::new(&config)
}
