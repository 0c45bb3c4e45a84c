//! Where a lane's events come from, and the queue of those that have not started.
//!
//! ```text
//! Live ── full, or nothing may start ──▶ Behind ── has read what the dispatcher kept ──▶ Live
//! ```
//!
//! # Invariants
//!
//! - Live: every matched offset from `from` on was offered, and is queued or has been taken.
//! - Behind: the same of every one below `read_to`; what comes above is for the own reader.
//! - bounded: the queue takes so many events and so many bytes; a span of one batch beyond.

use std::collections::VecDeque;
use std::sync::Arc;

use journal::Offset;

use super::versions::Versions;
use super::{Bounds, Owed};
use crate::routes::Route;

/// Who brings the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The dispatcher, from this offset on.
    Live { from: Offset },
    /// The lane's own reader.
    Behind,
}

pub(super) struct Feed {
    source: Source,
    /// The highest matched offset that the dispatcher kept to itself because the lane was behind.
    skipped: Option<Offset>,
    /// While behind: everything below has been queued.
    read_to: Offset,
    /// Where the span of a replay, or of a retired subscription, ends.
    pub(super) until: Option<Offset>,
    versions: Versions,
    queue: VecDeque<Owed>,
    queue_bytes: usize,
}

impl Feed {
    pub(super) fn new(
        (settled, until): (Offset, Option<Offset>),
        versions: Versions,
        dispatched: Offset,
    ) -> Self {
        // The dispatcher knows the newest version alone.
        let newest = versions.last_from().map_or(dispatched, |from| from.max(dispatched));
        let is_live = until.is_none() && newest <= settled;
        Self {
            source: if is_live { Source::Live { from: settled } } else { Source::Behind },
            // What lies between `settled` and the dispatcher's place is for the own reader.
            skipped: newest.get().checked_sub(1).map(Offset::new).filter(|_| !is_live),
            read_to: settled,
            until,
            versions,
            queue: VecDeque::new(),
            queue_bytes: 0,
        }
    }

    /// True when the event was queued, or is for the own reader now. `room` is what the queue may
    /// hold at this moment.
    pub(super) fn offer(
        &mut self,
        owed: impl FnOnce() -> Owed,
        offset: Offset,
        room: (usize, usize),
    ) -> bool {
        match self.source {
            Source::Live { from } if offset < from => false, // The own reader was ahead: it has this one.
            Source::Live { .. } if self.queue.len() < room.0 && self.queue_bytes < room.1 => {
                self.push(owed());
                true
            }
            Source::Live { .. } => {
                self.source = Source::Behind;
                self.read_to = offset;
                self.skipped = Some(offset);
                true
            }
            Source::Behind => {
                self.skipped = self.skipped.max(Some(offset));
                false
            }
        }
    }

    fn push(&mut self, owed: Owed) {
        self.queue_bytes += owed.event.bytes().len();
        self.queue.push_back(owed);
    }

    pub(super) fn pop(&mut self) -> Option<Owed> {
        let owed = self.queue.pop_front()?;
        self.queue_bytes -= owed.event.bytes().len();
        Some(owed)
    }

    pub(super) fn front(&self) -> Option<&Owed> {
        self.queue.front()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Where the own reader should go on, when it should. `held` events wait elsewhere in the lane.
    pub(super) fn wants_reading(&self, held: usize, bounds: &Bounds) -> Option<Offset> {
        let has_room = self.queue.len() + held <= bounds.queue_max / 2
            && self.queue_bytes <= bounds.queue_bytes_max / 2;
        let is_behind = self.source == Source::Behind && !self.has_read_all();
        (is_behind && has_room).then_some(self.read_to)
    }

    /// What matches which part of the journal, for the own reader.
    pub(super) fn versions(&self) -> Versions {
        self.versions.clone()
    }

    /// Takes in what the own reader found: every matched offset in `from..to` that is still owed.
    /// `needed` is the oldest event that has not ended.
    pub(super) fn caught_up(
        &mut self,
        found: Vec<Owed>,
        (from, to): (Offset, Offset),
        needed: Offset,
    ) {
        if self.source != Source::Behind || self.read_to != from {
            return; // The lane went back while the reader was at work: it reads again.
        }
        // The span may have been cut short meanwhile.
        let end = self.until.unwrap_or(to).min(to);
        for owed in found.into_iter().filter(|owed| owed.offset < end) {
            self.push(owed);
        }
        self.read_to = self.read_to.max(end);
        self.forget_versions(self.read_to, needed);
        let has_all = self.skipped.is_none_or(|skipped| skipped < to);
        if has_all && self.until.is_none() {
            self.source = Source::Live { from: to };
            self.skipped = None;
        }
    }

    /// Gives the queue, and what else has not started, back to the journal.
    pub(super) fn fall_back(&mut self, held: &[Offset]) {
        let queued = || self.queue.iter().map(|owed| owed.offset);
        let waiting = || held.iter().copied().chain(queued());
        let (Some(first), Some(last)) = (waiting().min(), waiting().max()) else { return };
        if let Source::Live { .. } = self.source {
            self.source = Source::Behind;
            self.read_to = first;
        }
        self.read_to = self.read_to.min(first);
        self.skipped = self.skipped.max(Some(last));
        self.queue = VecDeque::new();
        self.queue_bytes = 0;
    }

    pub(super) fn has_read_all(&self) -> bool {
        self.until.is_some_and(|until| until <= self.read_to)
    }

    /// The rule changed or came back at `position`.
    pub(super) fn adopt(&mut self, route: Arc<Route>, position: Offset, needed: Offset) {
        // What is not read yet was matched by nobody: each part meets the version of its time.
        self.versions.present_from(position, &route);
        if let Source::Live { .. } = self.source {
            self.forget_versions(position, needed);
        }
    }

    /// The rule changed, for all that is still to be read.
    pub(super) fn replace(&mut self, route: Arc<Route>) {
        self.versions.replace(&route);
    }

    /// The span has no end any more.
    pub(super) fn reopen(&mut self, position: Offset) {
        self.until = None;
        self.skipped = position.get().checked_sub(1).map(Offset::new);
    }

    /// The rule is gone from `until` on.
    pub(super) fn end_at(&mut self, until: Offset) {
        self.versions.absent_from(until);
        self.until = Some(self.until.map_or(until, |end| end.min(until)));
        if let Source::Live { from } = self.source {
            // All that was matched below `until` is in the queue already.
            self.read_to = until.max(from);
            self.source = Source::Behind;
        }
    }

    /// Versions are needed down to the oldest event that may have to be read again, also after a restart.
    fn forget_versions(&mut self, read_to: Offset, needed: Offset) {
        let queued = self.queue.front().map(|owed| owed.offset);
        let oldest = queued.into_iter().fold(read_to.min(needed), Offset::min);
        self.versions.forget_below(oldest);
    }

    /// Everything below has been looked at; `dispatched` is the dispatcher's place.
    pub(super) fn seen(&self, dispatched: Offset) -> Offset {
        match self.source {
            Source::Live { from } => from.max(dispatched),
            Source::Behind => self.read_to,
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.source == Source::Behind
    }
}
