//! The one place that asks for the time: what the processor spent on this thread.

use std::time::Duration;

/// What the processor has spent on this thread so far; other programs on a busy machine do not count.
#[cfg(target_os = "linux")]
pub fn processor() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time spent is never negative");
    Duration::from_secs(seconds)
        + Duration::from_nanos(u64::try_from(time.tv_nsec).expect("below a second"))
}

/// Elsewhere the wall clock stands in, since some moment of its own.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "a benchmark is about the time that passes")]
pub fn processor() -> Duration {
    use std::time::Instant;
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}
