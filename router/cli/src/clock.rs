//! The one place of the command line that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use event::Timestamp;

#[expect(clippy::disallowed_methods, reason = "`--since 1h` counts back from the caller's clock")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
