//! The one place that asks the system for the time.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "a benchmark is about the time that passes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
