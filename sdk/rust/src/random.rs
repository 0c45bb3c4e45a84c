//! Random numbers that are the same whenever the same event passes the same step. A rule grants them by
//! `grant: [random]`.
//!
//! Not for keys or passwords: who knows the event can work them out. In native tests they are the
//! router's own, for a plugin whose file has the name of its package, and an event that no step before has changed.

use alloc::vec::Vec;

/// What is asked for beyond this is left out.
pub const BYTES_MAX: usize = 4096;

/// `len` bytes, at most [`BYTES_MAX`].
pub fn bytes(len: usize) -> Vec<u8> {
    router::bytes(u32::try_from(len.min(BYTES_MAX)).unwrap_or(0))
}

/// The next 64 bits.
pub fn number() -> u64 {
    router::number()
}

#[cfg(target_arch = "wasm32")]
use crate::abi::imports as router;
#[cfg(not(target_arch = "wasm32"))]
use crate::native as router;
