//! The system's clock: the one place in the router that asks for the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bus::Clock;
use event::Timestamp;

pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock for measuring what work costs on the thread that asks: its processor time where the system
/// tells, so that busy neighbours do not count; elsewhere the time that passes.
pub(crate) struct ThreadClock {
    #[cfg(not(target_os = "linux"))]
    system: SystemClock,
}

#[cfg(target_os = "linux")]
impl ThreadClock {
    pub(crate) const IS_PROCESSOR_TIME: bool = true;

    pub(crate) fn start() -> Self {
        Self {}
    }

    pub(crate) fn now(&self) -> Duration {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::ThreadCPUTime);
        // Time spent is never negative.
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_nanos(nanos)
    }
}

#[cfg(not(target_os = "linux"))]
impl ThreadClock {
    pub(crate) const IS_PROCESSOR_TIME: bool = false;

    pub(crate) fn start() -> Self {
        Self { system: SystemClock::start() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.system.monotonic()
    }
}
