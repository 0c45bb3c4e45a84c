//! How many lines a plugin may bring into the log, all its instances together.
//!
//! # Invariants
//!
//! - no neighbour: whoever logs waits for whoever reads the log, and so do all others. A plugin has so many lines a
//!   second, and some more to begin with.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Options;
use crate::faults::Said;

/// Until the next line, where there are none by second.
const NEVER: Duration = Duration::from_secs(1 << 32);

/// What one plugin has brought.
pub(crate) struct Flow {
    pub(crate) lines_per_second: u32,
    /// Between two lines, in the long run.
    each: Duration,
    /// How much of the time to come may be used up before.
    ahead_max: Duration,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    /// Lines up to here are written.
    until: Duration,
    said: Said,
}

impl Flow {
    pub(crate) fn new(options: &Options) -> Self {
        let lines_per_second = options.log_lines_per_second;
        let each = Duration::from_secs(1).checked_div(lines_per_second);
        let each = each.unwrap_or(NEVER);
        let ahead_max = each.saturating_mul(options.log_lines_at_once.saturating_sub(1));
        Self { lines_per_second, each, ahead_max, used: Mutex::default() }
    }

    /// Whether there is room for one more line, which is then taken.
    pub(crate) fn take(&self, now: Duration) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let until = used.until.max(now);
        let has_room = until.saturating_sub(now) <= self.ahead_max;
        if has_room {
            used.until = until.saturating_add(self.each);
        }
        has_room
    }

    /// A call's lines were left out: how many to say now, with those that were not said before.
    pub(crate) fn left_out(&self, count: u64, now: Duration) -> Option<u64> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.said.turn(count, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_has_lines_to_begin_with_and_then_so_many_a_second() {
        let options =
            Options { log_lines_per_second: 10, log_lines_at_once: 25, ..Options::default() };
        let flow = Flow::new(&options);
        let written = |from_ms: u64, step_ms: u64| {
            let at = |line: u64| Duration::from_millis(from_ms + line * step_ms);
            (0..100).filter(|line| flow.take(at(*line))).count()
        };
        assert_eq!(written(5_000, 0), 25);
        assert_eq!(written(5_000, 0), 0);
        // Half of the lines of a second each 50 ms.
        assert_eq!(written(5_100, 50), 50);
        // A clock that stands back a little changes nothing.
        assert_eq!(written(9_000, 0), 0);
        // Who was silent for long has no more than at the beginning.
        assert_eq!(written(99_000, 0), 25);
    }

    #[test]
    fn without_a_bound_every_line_is_written() {
        let options =
            Options { log_lines_per_second: u32::MAX, log_lines_at_once: 1, ..Options::default() };
        let flow = Flow::new(&options);
        assert!((0..10_000).all(|_| flow.take(Duration::ZERO)));
        let none = Options { log_lines_per_second: 0, ..options };
        let flow = Flow::new(&none);
        assert_eq!((0..10_000).filter(|second| flow.take(Duration::from_secs(*second))).count(), 1);
    }
}
