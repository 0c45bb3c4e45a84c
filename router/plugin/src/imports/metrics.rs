//! The `metrics` import: figures of a plugin's own.

/// Where plugins' figures go. Names are checked before: `[a-z][a-z0-9_]*`, at most 64 bytes, a bounded number of them.
pub trait MetricSink: Send + Sync {
    /// Adds to a counter.
    fn count(&self, plugin: &str, name: &str, by: u64);

    /// One observation of a histogram. `value` is finite.
    fn observe(&self, plugin: &str, name: &str, value: f64);
}
