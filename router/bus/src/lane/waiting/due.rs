//! What is due, and when.
//!
//! # Invariants
//!
//! - A row stands in the schedule at the due time of its slot.

use std::collections::BTreeSet;

use event::Timestamp;

use super::{Spot, Waiting};
use crate::attempt::Retry;

impl Waiting {
    pub(in crate::lane) fn next_due(&self) -> Option<Timestamp> {
        let first = |set: &BTreeSet<(Timestamp, Spot)>| set.first().map(|(due_at, _)| *due_at);
        first(&self.schedule).into_iter().chain(first(&self.put_off)).min()
    }

    /// Whether something here may find out whether the target is back, whenever it would be due.
    pub(in crate::lane) fn has_probe(&self) -> bool {
        !self.schedule.is_empty()
    }

    /// What is owed longest, whenever it would be due; what was put off only when it is due.
    pub(in crate::lane) fn take_probe(&mut self, now: Timestamp) -> Option<Retry> {
        match self.schedule.pop_first() {
            Some((_, spot)) => Some(self.begin_retry(spot)),
            None => self.take_due(now),
        }
    }

    /// Gives everything that waits another due time, which keeps their order.
    pub(in crate::lane) fn move_due(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        let mut has_moved = false;
        for slot in self.slots.values_mut() {
            has_moved |= slot.due_at != moved(slot.due_at);
            slot.due_at = moved(slot.due_at);
        }
        if !has_moved {
            return;
        }
        for set in [&mut self.schedule, &mut self.put_off] {
            let times = std::mem::take(set).into_iter();
            *set = times.map(|(due_at, spot)| (moved(due_at), spot)).collect();
        }
    }

    /// The first that is due by `now`.
    pub(in crate::lane) fn take_due(&mut self, now: Timestamp) -> Option<Retry> {
        let spot = self.pop_due(now)?;
        Some(self.begin_retry(spot))
    }

    /// The first that is due by `now` and has its payload. What is still to be made is due at `later`.
    pub(in crate::lane) fn take_due_made(
        &mut self,
        now: Timestamp,
        later: Timestamp,
    ) -> Option<Retry> {
        assert!(now < later);
        while let Some(spot) = self.pop_due(now) {
            let slot = self.slots.get_mut(&spot).expect("what is scheduled waits");
            if !slot.is_unmade {
                return Some(self.begin_retry(spot));
            }
            slot.due_at = later;
            let into = if slot.is_put_off { &mut self.put_off } else { &mut self.schedule };
            into.insert((later, spot));
        }
        None
    }

    /// Whether the first that is due by `now` is still to be made; for a probe, what is owed longest.
    pub(in crate::lane) fn is_next_unmade(&self, now: Timestamp, is_probe: bool) -> bool {
        let owed_longest = self.schedule.first().filter(|_| is_probe);
        let due = || {
            let first = [self.schedule.first(), self.put_off.first()].into_iter().flatten();
            first.min_by_key(|(due_at, _)| *due_at).filter(|(due_at, _)| *due_at <= now)
        };
        let next = owed_longest.or_else(due);
        next.and_then(|(_, spot)| self.slots.get(spot)).is_some_and(|slot| slot.is_unmade)
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<Spot> {
        let due_at = self.next_due().filter(|due_at| *due_at <= now)?;
        let is_regular = self.schedule.first().is_some_and(|(first, _)| *first == due_at);
        let from = if is_regular { &mut self.schedule } else { &mut self.put_off };
        from.pop_first().map(|(_, spot)| spot)
    }

    fn begin_retry(&mut self, spot: Spot) -> Retry {
        let slot = self.slots.get_mut(&spot).expect("what is scheduled waits");
        (slot.is_under_way, slot.is_put_off) = (true, false);
        let is_untried = std::mem::take(&mut slot.is_untried);
        let is_unmade = slot.is_unmade;
        if let Some(order) = slot.order() {
            self.lines.entry(order).or_default().under_way += 1;
        }
        let row = self.rows.get(&spot).cloned();
        Retry { row, place: self.place(spot), is_untried, is_unmade, room: None }
    }
}
