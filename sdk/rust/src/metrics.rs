//! Figures of the plugin's own among the router's metrics, under the plugin's name. A rule grants them by
//! `grant: [metrics]`.
//!
//! Names are `[a-z][a-z0-9_]*`, up to 64 bytes. What a failed call counted is counted all the same. In native tests
//! [`testing`](crate::testing) shows what was counted.

/// Adds to a counter.
pub fn count(name: &str, by: u64) {
    router::count(name, by);
}

/// One observation of a histogram.
pub fn observe(name: &str, value: f64) {
    router::observe(name, value);
}

#[cfg(target_arch = "wasm32")]
use crate::abi::imports as router;
#[cfg(not(target_arch = "wasm32"))]
use crate::native as router;
