//! What a call spends, for authors: instructions, memory, CPU time.
//!
//! Instructions are counted as wasmtime's fuel, which costs a busy plugin half of its speed: only an engine made with
//! [`Options::count_instructions`](crate::Options::count_instructions) does it, and the time of such a call says
//! nothing about a call on another.
//!
//! # Invariants
//!
//! - An engine that does not count pays one relaxed load per call.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::Store;

use crate::clock;

/// Whether any engine of this process counts.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);

/// More than any plugin can use up.
const FUEL: u64 = u64::MAX;

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(Spent::NOTHING) };
}

/// What the calls on one thread have spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    pub cpu: Duration,
    /// None from an engine that does not count.
    pub instructions: Option<u64>,
    /// Linear memory of the largest instance, after its call; 0 from an engine that does not count.
    pub memory_bytes: usize,
}

impl Spent {
    const NOTHING: Self = Self { cpu: Duration::ZERO, instructions: None, memory_bytes: 0 };
}

/// Runs `job` on this thread, and says what the plugins called in it have spent. Not for a job in a job.
pub fn measured<T>(job: impl FnOnce() -> T) -> (T, Spent) {
    SPENT.set(Spent::NOTHING);
    let started = clock::thread_cpu();
    let done = job();
    let cpu = clock::thread_cpu().saturating_sub(started);
    (done, Spent { cpu, ..SPENT.get() })
}

/// From now on stores are filled, and calls counted.
pub(crate) fn start_counting() {
    IS_COUNTING.store(true, Ordering::Relaxed);
}

/// Before anything runs in the store.
pub(crate) fn fill<T>(store: &mut Store<T>) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        // A store of an engine that does not count takes no fuel.
        store.set_fuel(FUEL).unwrap_or(());
    }
}

/// Makes one call, and adds it to what this thread has spent.
pub(crate) fn around<T, R>(
    store: &mut Store<T>,
    call: impl FnOnce(&mut Store<T>) -> R,
    memory: impl FnOnce(&T) -> usize,
) -> R {
    if !IS_COUNTING.load(Ordering::Relaxed) {
        return call(store);
    }
    let before = store.get_fuel().ok();
    let result = call(store);
    let used = before.zip(store.get_fuel().ok()).map(|(before, left)| before.saturating_sub(left));
    if let Some(used) = used {
        let spent = SPENT.get();
        SPENT.set(Spent {
            instructions: Some(spent.instructions.unwrap_or(0).saturating_add(used)),
            memory_bytes: spent.memory_bytes.max(memory(store.data())),
            ..spent
        });
    }
    result
}
