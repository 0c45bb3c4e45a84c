//! The one place of the command line that asks what time it is, and how much has passed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event::Timestamp;

#[expect(clippy::disallowed_methods, reason = "`--since 1h` counts back from the caller's clock")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Time since it was started; never steps back.
pub(crate) struct Steady(Instant);

impl Steady {
    #[expect(clippy::disallowed_methods, reason = "`send --rate` keeps time by the caller's clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
