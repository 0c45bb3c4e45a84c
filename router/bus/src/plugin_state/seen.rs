//! How far the keys of a plugin on a bus have expired: by the times of the events that it sees, not by the router's
//! clock.
//!
//! # Invariants
//!
//! - What an event may still ask for stays: of a backlog, however old, and of events with an old `time` among new ones,
//!   up to [`BEHIND_MAX`] behind those.
//! - A plugin that has seen no event lately keeps all its keys: nobody knows of when the next one is.

use std::time::Duration;

use event::Timestamp;

/// Events come out of order, and late: keys stay so much longer than they live.
const SWEPT_AFTER: Duration = Duration::from_secs(60 * 60);
/// An event counts for so long by the router's clock, and for twice that at most.
const LATELY: Duration = Duration::from_secs(60 * 60);
/// An event older than the newest one by more does not keep keys: a producer with a wrong clock would keep them all.
const BEHIND_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The times of the events that were seen lately.
#[derive(Default)]
pub(super) struct Seen {
    /// The oldest and the newest, of two spells: the one that lasts, and the one before.
    spells: [Option<(Timestamp, Timestamp)>; 2],
    /// Since when the first one lasts.
    since: Option<Timestamp>,
}

impl Seen {
    pub(super) fn note(&mut self, time: Timestamp) {
        let [current, _] = &mut self.spells;
        let (oldest, newest) = current.unwrap_or((time, time));
        *current = Some((oldest.min(time), newest.max(time)));
    }

    /// What has expired before this is asked for no more.
    pub(super) fn over(&mut self, now: Timestamp) -> Option<Timestamp> {
        let since = *self.since.get_or_insert(now);
        if LATELY <= now.since(since) || now < since {
            let [current, _] = self.spells;
            self.spells = [None, current];
            self.since = Some(now);
        }
        let seen = || self.spells.iter().flatten();
        let oldest = seen().map(|(oldest, _)| *oldest).min()?;
        let newest = seen().map(|(_, newest)| *newest).max()?.min(now);
        Some(oldest.max(newest.before(BEHIND_MAX)).min(now).before(SWEPT_AFTER))
    }
}
