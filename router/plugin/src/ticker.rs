//! Moves the engine's epoch while calls are running, so that a call's budgets are looked at now and then.
//!
//! # Invariants
//!
//! - While a [`Running`] exists the epoch moves at least once per tick.
//! - An idle host costs nothing: the thread sleeps until the next call wakes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// Ticks without a call before the thread goes to sleep: waking it costs the next call a system call.
const IDLE_TICKS: u32 = 500;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    is_asleep: AtomicBool,
    is_stopped: AtomicBool,
}

/// A call that is running.
pub(crate) struct Running<'a>(&'a Ticker);

impl Ticker {
    pub(crate) fn start(engine: &Engine, tick: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let engine = engine.clone();
        let body = move || theirs.run(tick, || engine.increment_epoch());
        let thread =
            thread::Builder::new().name("plugin-ticker".into()).spawn(body)?.thread().clone();
        Ok(Self { shared, thread })
    }

    pub(crate) fn enter(&self) -> Running<'_> {
        // Sequentially consistent, against `Shared::sleep`: either it sees this call, or we see it asleep.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.is_asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn run(&self, tick: Duration, move_epoch: impl Fn()) {
        let mut idle = 0;
        while !self.is_stopped.load(Ordering::SeqCst) {
            thread::sleep(tick);
            move_epoch();
            idle = if self.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            if idle >= IDLE_TICKS {
                self.sleep();
                idle = 0;
            }
        }
    }

    fn sleep(&self) {
        self.is_asleep.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.is_stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}
