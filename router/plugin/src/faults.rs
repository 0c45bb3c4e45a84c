//! Says that a plugin failed: at once the first time, then now and then, so that a plugin that fails with each event
//! does not fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use crate::{CallError, Event, Level, Line, LineSink, Plugin, clock};

/// Between two reports of one configured plugin.
const EVERY: Duration = Duration::from_secs(10);

/// The faults of one configured plugin.
#[derive(Default)]
pub(crate) struct Faults {
    said: Mutex<Said>,
}

/// When something was said, and how many times it was not said since.
#[derive(Default)]
pub(crate) struct Said {
    at: Option<Duration>,
    left_out: u64,
}

impl Faults {
    pub(crate) fn report(
        &self,
        plugin: &Plugin,
        event: &Event<'_>,
        error: &CallError,
        lines: Option<&dyn LineSink>,
    ) {
        let rule = event.attribute("rule");
        if let Some(lines) = lines
            && lines.is_wanted(Level::Error)
        {
            let (text, event) = (error.to_string(), Some(event.id));
            let level = Level::Error;
            lines.line(&Line { plugin: plugin.name(), level, event, rule, text: &text });
        }
        if let Some(count) = self.turn(clock::monotonic()) {
            let (limit, left_out) = (error.limit(), (count > 1).then(|| count - 1));
            warn!(plugin = plugin.name(), rule, event = event.id, limit, %error, left_out, "plugin failed");
        }
    }

    fn turn(&self, now: Duration) -> Option<u64> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).turn(1, now)
    }
}

impl Said {
    /// So many more: how many there were since the last time, if it is said now.
    pub(crate) fn turn(&mut self, count: u64, now: Duration) -> Option<u64> {
        self.left_out = self.left_out.saturating_add(count);
        if self.at.is_some_and(|at| now.saturating_sub(at) < EVERY) {
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_said_at_once_and_the_next_after_a_while_with_the_number_between() {
        let faults = Faults::default();
        let turns: Vec<_> =
            [1, 2, 10, 11, 12, 50].map(|second| faults.turn(Duration::from_secs(second))).into();
        assert_eq!(turns, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
