//! How long the turn on this thread may last: who works through many jobs looks here before each next one.
//!
//! # Invariants
//!
//! - A thread that is no plugin thread has no turn, and nothing is cut on it.
//! - A look costs no system call until the turn has lasted so long that it may be over.

use std::cell::Cell;
use std::time::Duration;

use crate::clock;

/// A turn that has used more CPU time is over: what it has not begun is for a later one.
pub(super) const OVERRUN: Duration = Duration::from_millis(25);

/// The clocks that turns are measured with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    /// Of the calling thread.
    pub cpu: fn() -> Duration,
    pub wall: fn() -> Duration,
}

impl Clocks {
    pub(super) const SYSTEM: Self = Self { cpu: clock::thread_cpu, wall: clock::monotonic };
}

#[derive(Clone, Copy)]
struct Turn {
    clocks: Clocks,
    cpu: Duration,
    wall: Duration,
}

thread_local! {
    static TURN: Cell<Option<Turn>> = const { Cell::new(None) };
}

/// Has `job` be a turn of this thread. What it did, and the CPU time that it took.
pub(super) fn within<T>(clocks: Clocks, job: impl FnOnce() -> T) -> (T, Duration) {
    let turn = Turn { clocks, cpu: (clocks.cpu)(), wall: (clocks.wall)() };
    TURN.set(Some(turn));
    let done = job();
    TURN.set(None);
    (done, (clocks.cpu)().saturating_sub(turn.cpu))
}

/// Whether the turn on this thread has lasted too long to begin another job.
pub fn turn_is_over() -> bool {
    let Some(Turn { clocks, cpu, wall }) = TURN.get() else { return false };
    // Nobody uses more CPU time than goes by.
    OVERRUN < (clocks.wall)().saturating_sub(wall) && OVERRUN < (clocks.cpu)().saturating_sub(cpu)
}
