//! How fast a replay goes, and how long it will take from here.
//!
//! # Invariants
//!
//! - A pace is of this process, and of a stretch without a stop: what was done before a restart, or
//!   before its target was paused, says nothing about it.

use std::time::Duration;

use journal::Offset;

/// So long it goes until its pace says something.
const MEASURED_MIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// By the steady clock.
    since: Duration,
    from: Offset,
}

impl Pace {
    pub(super) fn from(since: Duration, from: Offset) -> Self {
        Self { since, from }
    }

    /// One of its lanes goes on at a place, maybe before those of the others.
    pub(super) fn or_from(self, since: Duration, place: Offset) -> Self {
        Self { since, from: self.from.min(place) }
    }

    /// Seconds from `position` to `to`.
    pub(super) fn left(&self, now: Duration, position: Offset, to: Offset) -> Option<u64> {
        let took = now.saturating_sub(self.since);
        let done = position.get().checked_sub(self.from.get()).filter(|done| 0 < *done)?;
        if took < MEASURED_MIN {
            return None;
        }
        let left = to.get().saturating_sub(position.get());
        let millis = u128::from(left) * took.as_millis() / u128::from(done);
        u64::try_from(millis / 1000).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_left_is_told_by_what_was_done_here() {
        let left = |pace: Pace, seconds: u32, position: u64| {
            pace.left(SECOND * seconds, Offset::new(position), Offset::new(1000))
        };
        let pace = Pace::from(SECOND * 100, Offset::new(200));
        assert_eq!(left(pace, 110, 300), Some(70));
        assert_eq!(left(pace, 101, 300), None, "it has only begun");
        assert_eq!(left(pace, 160, 200), None, "it stands still");
        // Before the lanes of a replay of another process are opened nobody knows where it is.
        let pace = Pace::from(SECOND * 100, Offset::new(1000));
        assert_eq!(left(pace, 110, 900), None);
        let pace = pace.or_from(SECOND * 100, Offset::new(900));
        assert_eq!(left(pace, 110, 950), Some(10));
        assert_eq!(left(pace.or_from(SECOND * 100, Offset::new(950)), 110, 950), Some(10));
    }
}
