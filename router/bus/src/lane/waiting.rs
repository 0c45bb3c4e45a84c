//! What waits in a lane: postponed deliveries, and events behind another one of their order.
//!
//! ```text
//! order 7   under way: event 4        held: 6, 9            (in memory, as long as 4 is not judged)
//! order 8   postponed: 3  5  8        due at: 3's time      (rows; 5 and 8 come after 3 has ended)
//! no order  postponed: 1  2           due at: 1's, 2's time
//! ```
//!
//! # Invariants
//!
//! - Of one order at most one work is under way, and a postponed delivery goes before what came later.
//! - An order with something postponed holds no event: what comes becomes a row, too.
//! - In memory of a row is only where it is and when it is due; all of it only until it is written.

mod due;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use delivery::DeliveryId;
use event::Timestamp;
use journal::Offset;

use super::Owed;
use crate::key::Key;
use crate::state::{InShort, Made, Place, Postponed};

#[derive(Default)]
pub(super) struct Waiting {
    slots: BTreeMap<Spot, Slot>,
    /// Those that are neither under way nor behind another of their order, by due time.
    schedule: BTreeSet<(Timestamp, Spot)>,
    /// The same of those that cannot be tried before: probing does not choose them.
    put_off: BTreeSet<(Timestamp, Spot)>,
    /// What [`Spot`] numbers. Cleared when nothing waits.
    replays: Vec<Arc<str>>,
    lines: HashMap<u64, Line>,
    held: usize,
    /// Held events whose turn has come; their orders count as under way.
    released: VecDeque<Owed>,
    /// Rows that are to be written.
    dirty: BTreeSet<Spot>,
    /// Rows that are not written down yet: those, and what is being written.
    rows: BTreeMap<Spot, Box<Postponed>>,
    /// Rows to be removed.
    resolved: Vec<DeliveryId>,
}

/// A [`Place`] in as little memory as it takes: there may be a great many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    offset: u64,
    output: u32,
    /// 0 for none; else one more than its index in `replays`.
    replay: u32,
}

struct Slot {
    due_at: Timestamp,
    has_order: bool,
    order: u64,
    /// Whether the payload is still to be made.
    is_unmade: bool,
    is_under_way: bool,
    /// Whether the router itself could not make its last attempt.
    is_put_off: bool,
    /// Whether it is to be written down before it is tried for the first time.
    is_unwritten: bool,
    /// Whether it was never tried, and is kept in memory until then.
    is_untried: bool,
}

impl Slot {
    fn new(due_at: Timestamp, order: Option<u64>, is_unmade: bool) -> Self {
        let (has_order, order) = (order.is_some(), order.unwrap_or_default());
        Self {
            due_at,
            has_order,
            order,
            is_unmade,
            is_under_way: false,
            is_put_off: false,
            is_unwritten: false,
            is_untried: false,
        }
    }

    fn order(&self) -> Option<u64> {
        self.has_order.then_some(self.order)
    }
}

/// One order.
#[derive(Default)]
struct Line {
    under_way: usize,
    postponed: BTreeSet<Spot>,
    held: VecDeque<Owed>,
}

/// Whether an event of an order may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Free,
    /// Another one is under way.
    UnderWay,
    /// Another one is postponed.
    Postponed,
}

impl Waiting {
    /// Of rows that are on disk.
    pub(super) fn load(rows: Vec<InShort>) -> Self {
        let mut waiting = Self::default();
        // Collected at once, they are packed closely.
        waiting.slots = rows.into_iter().map(|row| waiting.slot_of(row)).collect();
        waiting.line_up();
        waiting
    }

    /// Takes rows that have come onto the disk.
    pub(super) fn resume(&mut self, rows: Vec<InShort>) {
        for row in rows {
            let (spot, slot) = self.slot_of(row);
            let order = slot.order();
            // Perhaps it goes before the one whose turn it would have been.
            let line = order.and_then(|order| self.lines.get(&order));
            if let Some(first) = line.and_then(|line| line.postponed.first()).copied()
                && let Some(before) = self.slots.get(&first)
            {
                self.schedule.remove(&(before.due_at, first));
                self.put_off.remove(&(before.due_at, first));
            }
            self.enter(spot, &slot);
            self.slots.insert(spot, slot);
            if let Some(order) = order {
                self.schedule_first(order);
            }
        }
    }

    fn slot_of(&mut self, row: InShort) -> (Spot, Slot) {
        let InShort { place, due_at, order, is_unmade } = row;
        (self.spot(&place), Slot::new(due_at, order, is_unmade))
    }

    fn spot(&mut self, place: &Place) -> Spot {
        let replay = place.replay.as_ref().map_or(0, |replay| {
            let known = self.replays.iter().position(|known| known == replay);
            let index = known.unwrap_or_else(|| {
                self.replays.push(Arc::clone(replay));
                self.replays.len() - 1
            });
            u32::try_from(index + 1).expect("there are fewer replays than numbers")
        });
        Spot { offset: place.offset, output: place.output, replay }
    }

    fn place(&self, spot: Spot) -> Place {
        let Spot { offset, output, replay } = spot;
        let index = usize::try_from(replay).ok().and_then(|number| number.checked_sub(1));
        Place { offset, output, replay: index.and_then(|index| self.replays.get(index)).cloned() }
    }

    /// Puts a row in its line, or else in the schedule.
    fn enter(&mut self, spot: Spot, slot: &Slot) {
        match slot.order() {
            Some(order) => {
                self.lines.entry(order).or_default().postponed.insert(spot);
            }
            None => {
                self.schedule.insert((slot.due_at, spot));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether anything is postponed.
    pub(super) fn has_rows(&self) -> bool {
        !self.slots.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.held == 0 && self.released.is_empty()
    }

    /// The deliveries of one event, with whether their payloads are still to be made.
    pub(super) fn of_event(&self, offset: u64) -> impl Iterator<Item = (Place, bool)> {
        let from_there = self.slots.range(Spot { offset, output: 0, replay: 0 }..);
        let of_event = from_there.take_while(move |(spot, _)| spot.offset == offset);
        of_event.map(|(spot, slot)| (self.place(*spot), slot.is_unmade))
    }

    /// Whether a postponed delivery is being tried; none when it is not postponed.
    pub(super) fn is_under_way(&self, place: &Place) -> Option<bool> {
        let from_there = self.slots.range(Spot { offset: place.offset, output: 0, replay: 0 }..);
        let mut of_event = from_there.take_while(|(spot, _)| spot.offset == place.offset);
        let own = of_event.find(|(spot, _)| self.place(**spot) == *place);
        own.map(|(_, slot)| slot.is_under_way)
    }

    /// Whether an event waits behind another one of its order.
    pub(super) fn holds_back(&self, offset: Offset) -> bool {
        let held = self.lines.values().flat_map(|line| &line.held);
        held.chain(&self.released).any(|owed| owed.offset == offset)
    }

    /// The oldest one from `from` on whose payload is still to be made.
    pub(super) fn oldest_unmade(&self, from: Offset) -> Option<Offset> {
        let first = Spot { offset: from.get(), output: 0, replay: 0 };
        let unmade = self.slots.range(first..).find(|(_, slot)| slot.is_unmade);
        unmade.map(|(spot, _)| Offset::new(spot.offset))
    }

    /// The oldest one whose row is not on disk as it is.
    pub(super) fn oldest_unwritten(&self) -> Option<Offset> {
        self.dirty.first().map(|spot| Offset::new(spot.offset))
    }

    /// The oldest event that waits behind another one of its order.
    pub(super) fn oldest_held(&self) -> Option<Offset> {
        let held = self.lines.values().flat_map(|line| line.held.front());
        held.chain(&self.released).map(|owed| owed.offset).min()
    }

    pub(super) fn turn(&self, order: u64) -> Turn {
        match self.lines.get(&order) {
            Some(line) if !line.postponed.is_empty() => Turn::Postponed,
            Some(line) if 0 < line.under_way => Turn::UnderWay,
            Some(_) | None => Turn::Free,
        }
    }

    /// Whether events of an order are held.
    pub(super) fn holds(&self, order: u64) -> bool {
        self.lines.get(&order).is_some_and(|line| !line.held.is_empty())
    }

    pub(super) fn begin(&mut self, order: u64) {
        self.lines.entry(order).or_default().under_way += 1;
    }

    pub(super) fn held(&self) -> usize {
        self.held + self.released.len()
    }

    pub(super) fn hold(&mut self, order: u64, owed: Owed) {
        self.held += 1;
        self.lines.entry(order).or_default().held.push_back(owed);
    }

    /// The next event whose turn has come.
    pub(super) fn take_released(&mut self) -> Option<Owed> {
        self.released.pop_front()
    }

    pub(super) fn released(&self) -> usize {
        self.released.len()
    }

    pub(super) fn first_released(&self) -> Option<&Owed> {
        self.released.front()
    }

    /// A new row. One with an order is due when its turn comes.
    pub(super) fn postpone(&mut self, row: Postponed) {
        // A retry that only updates its row must not be deleted with what was resolved before.
        self.resolved.retain(|id| *id != row.id || row.made != Made::OnDisk);
        let spot = self.spot(&Place::of(&row.id));
        let slot = Slot::new(row.due_at, row.order, row.made == Made::NotYet);
        self.enter(spot, &slot);
        self.slots.insert(spot, slot);
        self.dirty.insert(spot);
        self.rows.insert(spot, Box::new(row));
    }

    /// What was retried leaves; its order, for [`Waiting::end`].
    pub(super) fn leave(&mut self, key: &Key, place: &Place) -> Option<u64> {
        let spot = self.spot(place);
        let slot = self.slots.remove(&spot).expect("what was retried waits");
        self.dirty.remove(&spot);
        self.rows.remove(&spot);
        self.resolved.push(place.in_lane(key));
        if let Some(line) = slot.order().and_then(|order| self.lines.get_mut(&order)) {
            line.postponed.remove(&spot);
        }
        if self.slots.is_empty() {
            self.replays.clear();
        }
        slot.order()
    }

    /// What was to be retried stays as it is, and is due later.
    pub(super) fn put_off(&mut self, place: &Place, due_at: Timestamp) {
        let spot = self.spot(place);
        let slot = self.slots.get_mut(&spot).expect("what was retried waits");
        slot.due_at = due_at;
        (slot.is_under_way, slot.is_put_off) = (false, true);
        let Some(order) = slot.order() else {
            self.put_off.insert((due_at, spot));
            return;
        };
        // Once the orders are disbanded, nobody else has it in line.
        let is_in_line = self.lines.get(&order).is_some_and(|line| line.postponed.contains(&spot));
        self.end(order);
        if !is_in_line {
            self.put_off.insert((due_at, spot));
        }
    }

    /// A work of an order has ended, and what it postponed is known.
    pub(super) fn end(&mut self, order: u64) {
        let line = self.lines.get_mut(&order).expect("what ends has begun");
        line.under_way -= 1;
        if 0 < line.under_way {
            return;
        }
        if !line.postponed.is_empty() {
            self.schedule_first(order);
        } else if let Some(owed) = line.held.pop_front() {
            line.under_way += 1;
            self.held -= 1;
            self.released.push_back(owed);
        } else {
            self.lines.remove(&order);
        }
    }

    /// Events that are held although something of their order is postponed by now.
    pub(super) fn take_stranded(&mut self, order: u64) -> VecDeque<Owed> {
        let Some(line) = self.lines.get_mut(&order) else { return VecDeque::new() };
        if line.postponed.is_empty() {
            return VecDeque::new();
        }
        self.held -= line.held.len();
        std::mem::take(&mut line.held)
    }

    /// Lets go of every event that has not started, and gives their offsets.
    pub(super) fn drop_held(&mut self) -> Vec<Offset> {
        let mut dropped = Vec::new();
        for owed in std::mem::take(&mut self.released) {
            dropped.push(owed.offset);
            let line = owed.order.and_then(|order| self.lines.get_mut(&order));
            line.expect("what is released has an order").under_way -= 1;
        }
        for line in self.lines.values_mut() {
            dropped.extend(line.held.drain(..).map(|owed| owed.offset));
        }
        self.lines.retain(|_, line| 0 < line.under_way || !line.postponed.is_empty());
        self.held = 0;
        dropped
    }

    /// Without orders: all of it is going to be given up.
    pub(super) fn disband(&mut self) {
        for line in self.lines.values_mut() {
            line.postponed.clear();
        }
        self.lines.retain(|_, line| 0 < line.under_way || !line.held.is_empty());
        let idle = self.slots.iter_mut();
        let idle = idle.filter(|(_, slot)| !slot.is_under_way && !slot.is_unwritten);
        let now = |(spot, slot): (&Spot, &mut Slot)| {
            slot.due_at = Timestamp::from_millis(0);
            (slot.due_at, *spot)
        };
        self.schedule = idle.map(now).collect();
        self.put_off.clear();
    }

    /// The opposite of [`Waiting::disband`].
    pub(super) fn line_up(&mut self) {
        let mut orders = BTreeSet::new();
        let mut schedule = Vec::new();
        for (spot, slot) in &self.slots {
            match slot.order() {
                Some(order) => {
                    self.lines.entry(order).or_default().postponed.insert(*spot);
                    orders.insert(order);
                }
                None if slot.is_under_way || slot.is_unwritten => (),
                None => schedule.push((slot.due_at, *spot)),
            }
        }
        self.schedule = schedule.into_iter().collect();
        self.put_off.clear();
        for order in orders {
            self.schedule_first(order);
        }
    }

    fn schedule_first(&mut self, order: u64) {
        let Some(line) = self.lines.get(&order).filter(|line| line.under_way == 0) else { return };
        let Some(spot) = line.postponed.first() else { return };
        let slot = self.slots.get(spot).expect("what is postponed has a slot");
        if slot.is_unwritten {
            return;
        }
        let into = if slot.is_put_off { &mut self.put_off } else { &mut self.schedule };
        into.insert((slot.due_at, *spot));
    }

    /// What the next change is to write and to remove.
    pub(super) fn take_changes(&mut self) -> (Vec<Postponed>, Vec<DeliveryId>) {
        let rows = std::mem::take(&mut self.dirty).into_iter().map(|spot| {
            let row = self.rows.get(&spot).expect("what is dirty has its row here");
            row.as_ref().clone()
        });
        (rows.collect(), std::mem::take(&mut self.resolved))
    }
}

#[cfg(test)]
mod tests;
