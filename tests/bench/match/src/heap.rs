//! An allocator that counts what lives, so that an engine's memory can be said in bytes.
//!
//! # Invariants
//!
//! - The counts are exact while one thread allocates, as in a worker. They are loads and stores, not
//!   atomic additions: an engine that allocates for each event must not pay for being watched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted. Only a program can install it.
pub struct Counting;

/// Bytes that were asked for and not yet given back.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed)
}

/// How often memory was asked for, a change of size included.
pub(crate) fn calls() -> usize {
    CALLS.load(Relaxed)
}

fn count(more: usize, less: usize) {
    LIVE.store(LIVE.load(Relaxed).wrapping_add(more).wrapping_sub(less), Relaxed);
    if 0 < more {
        CALLS.store(CALLS.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; each call goes to the system's as it came"
)]
// SAFETY: every method hands its arguments on to `System` unchanged and returns what it returns, so the
// system's guarantees hold; counting touches no memory but two atomics and never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
