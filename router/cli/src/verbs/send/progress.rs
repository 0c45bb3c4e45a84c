//! How far a long sending has come, for whoever waits at a terminal.
//!
//! # Invariants
//!
//! - It goes to standard error, and only to a screen that the ids are not printed on.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use crate::{
    output::count,
    progress::{has_screen, show},
};

/// What takes less needs no progress.
const QUIET: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(250);

pub(super) struct Progress {
    is_seen: bool,
    /// When it was shown last.
    shown: Option<Duration>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_seen: has_screen() && !io::stdout().is_terminal(), shown: None }
    }

    /// `sent` after `taken`.
    pub(super) fn tell(&mut self, sent: usize, taken: Duration) {
        let is_time = self.shown.map_or(QUIET <= taken, |shown| shown + BETWEEN <= taken);
        if self.is_seen && is_time {
            self.shown = Some(taken);
            show(&line(sent, taken));
        }
    }

    /// Gives the line back.
    pub(super) fn end(&mut self) {
        if self.shown.take().is_some() {
            show("");
        }
    }
}

pub(super) fn line(sent: usize, taken: Duration) -> String {
    let millis = taken.as_millis().max(1);
    let rate = u128::try_from(sent).unwrap_or(u128::MAX).saturating_mul(1000) / millis;
    format!("{} sent, {rate} a second", count(sent, "event"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_whole() {
        assert_eq!(line(1, Duration::from_secs(2)), "1 event sent, 0 a second");
        assert_eq!(line(3000, Duration::from_millis(1500)), "3000 events sent, 2000 a second");
    }
}
