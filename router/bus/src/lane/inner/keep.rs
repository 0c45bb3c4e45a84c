//! What a lane needs of the journal, and what becomes of it when it was not kept.
//!
//! # Invariants
//!
//! - What is under way, or not written down yet, is needed whatever its age.
//! - What waits in memory and is too old to be kept goes back to the journal: it is read again, or
//!   counted as expired.

use journal::Offset;

use super::Inner;

impl Inner {
    /// The first offset that the journal must keep. Of what lies below `begin` the events are not
    /// kept for a lane that is slow, nor for what waits for a retry.
    pub(crate) fn needed_from(&mut self, begin: Offset) -> Offset {
        let waiting = self.feed.front().map(|owed| owed.offset);
        let oldest_waiting = waiting.into_iter().chain(self.waiting.oldest_held()).min();
        if oldest_waiting.is_some_and(|oldest| oldest < begin) {
            self.fall_back();
        }
        let settled = self.settled_on_disk.max(begin);
        let under_way = self.open.first().copied();
        let unmade = self.waiting.oldest_unmade(begin);
        let dead = self.dead.iter().map(|dead| Offset::new(dead.last.id.offset));
        let fresh = dead.chain(self.waiting.oldest_unwritten()).chain(self.unwritten_from);
        [under_way, unmade].into_iter().flatten().chain(fresh).fold(settled, Offset::min)
    }

    /// Events below `first` have gone, `records` of them: counts those it had not looked at. An
    /// upper bound where a file went of which it had had a part.
    pub(crate) fn lose(&mut self, first: Offset, records: u64, dispatched: Offset) -> u64 {
        let seen = self.feed.seen(dispatched);
        let end = self.feed.until.map_or(first, |until| until.min(first));
        let unseen = end.get().saturating_sub(seen.get()).min(records);
        if 0 < unseen {
            self.counts.expired += unseen;
            self.is_dirty = true;
        }
        unseen
    }
}
