//! The time, as the event has it: the same in a replay as in the first run. A rule grants it by `grant: [clock]`.
//!
//! In native tests it is the time of the event that was parsed last, or that the test kit runs.

/// Milliseconds since 1970-01-01T00:00:00Z: the event's own `time`. No clock goes on while a plugin runs.
pub fn now() -> i64 {
    router::now()
}

#[cfg(target_arch = "wasm32")]
use crate::abi::imports as router;
#[cfg(not(target_arch = "wasm32"))]
use crate::native as router;
