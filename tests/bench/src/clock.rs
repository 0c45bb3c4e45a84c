//! The one place that asks the system for the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[expect(clippy::disallowed_methods, reason = "a benchmark is about the time that passes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Microseconds since the Unix epoch: what processes of one machine can compare.
#[expect(clippy::disallowed_methods, reason = "a benchmark is about the time that passes")]
pub(crate) fn epoch_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
