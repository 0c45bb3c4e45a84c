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

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use delivery::DeliveryId;
use event::Timestamp;
use journal::Offset;

use super::Owed;
use crate::attempt::Retry;
use crate::key::Key;
use crate::state::{InShort, Made, Place, Postponed};

#[derive(Default)]
pub(super) struct Waiting {
    slots: BTreeMap<Place, Slot>,
    /// Those that are neither under way nor behind another of their order, by due time.
    schedule: BTreeSet<(Timestamp, Place)>,
    lines: HashMap<u64, Line>,
    held: usize,
    /// Held events whose turn has come; their orders count as under way.
    released: VecDeque<Owed>,
    /// Slots whose rows are to be written.
    dirty: BTreeSet<Place>,
    /// Rows to be removed.
    resolved: Vec<DeliveryId>,
}

struct Slot {
    due_at: Timestamp,
    order: Option<u64>,
    /// Whether the payload is still to be made.
    is_unmade: bool,
    /// Until it is written down.
    row: Option<Box<Postponed>>,
    is_under_way: bool,
}

/// One order.
#[derive(Default)]
struct Line {
    under_way: usize,
    postponed: BTreeSet<Place>,
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
    /// Takes rows that are on disk.
    pub(super) fn load(&mut self, rows: Vec<InShort>) {
        for InShort { place, due_at, order, is_unmade } in rows {
            let slot = Slot { due_at, order, is_unmade, row: None, is_under_way: false };
            match order {
                Some(order) => {
                    self.lines.entry(order).or_default().postponed.insert(place.clone());
                }
                None => {
                    self.schedule.insert((due_at, place.clone()));
                }
            }
            self.slots.insert(place, slot);
        }
        let orders: Vec<u64> = self.lines.keys().copied().collect();
        for order in orders {
            self.schedule_first(order);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.held == 0 && self.released.is_empty()
    }

    /// The deliveries of one event, with whether their payloads are still to be made.
    pub(super) fn of_event(&self, offset: u64) -> impl Iterator<Item = (&Place, bool)> {
        let first = Place { offset, output: 0, replay: None };
        let from_there = self.slots.range(first..);
        let of_event = from_there.take_while(move |(place, _)| place.offset == offset);
        of_event.map(|(place, slot)| (place, slot.is_unmade))
    }

    /// The oldest one from `from` on whose payload is still to be made.
    pub(super) fn oldest_unmade(&self, from: Offset) -> Option<Offset> {
        let first = Place { offset: from.get(), output: 0, replay: None };
        let unmade = self.slots.range(first..).find(|(_, slot)| slot.is_unmade);
        unmade.map(|(place, _)| Offset::new(place.offset))
    }

    /// The oldest one whose row is not on disk as it is.
    pub(super) fn oldest_unwritten(&self) -> Option<Offset> {
        self.dirty.first().map(|place| Offset::new(place.offset))
    }

    /// The oldest event that waits behind another one of its order.
    pub(super) fn oldest_held(&self) -> Option<Offset> {
        let held = self.lines.values().flat_map(|line| line.held.front());
        held.chain(&self.released).map(|owed| owed.offset).min()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.schedule.first().map(|(due_at, _)| *due_at)
    }

    /// The first that is due by `now`; whichever is first when that does not matter.
    pub(super) fn take_due(&mut self, now: Option<Timestamp>) -> Option<Retry> {
        let (due_at, _) = self.schedule.first()?;
        if now.is_some_and(|now| now < *due_at) {
            return None;
        }
        let (_, place) = self.schedule.pop_first()?;
        let slot = self.slots.get_mut(&place).expect("what is scheduled waits");
        slot.is_under_way = true;
        let retry = Retry { row: slot.row.clone(), place };
        if let Some(order) = slot.order {
            self.lines.entry(order).or_default().under_way += 1;
        }
        Some(retry)
    }

    pub(super) fn turn(&self, order: u64) -> Turn {
        match self.lines.get(&order) {
            Some(line) if !line.postponed.is_empty() => Turn::Postponed,
            Some(line) if 0 < line.under_way => Turn::UnderWay,
            Some(_) | None => Turn::Free,
        }
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

    pub(super) fn first_released(&self) -> Option<&Owed> {
        self.released.front()
    }

    /// A new row. One with an order is due when its turn comes.
    pub(super) fn postpone(&mut self, row: Postponed) {
        // A retry that only updates its row must not be deleted with what was resolved before.
        self.resolved.retain(|id| *id != row.id || row.made != Made::OnDisk);
        let place = Place::of(&row.id);
        match row.order {
            Some(order) => {
                self.lines.entry(order).or_default().postponed.insert(place.clone());
            }
            None => {
                self.schedule.insert((row.due_at, place.clone()));
            }
        }
        let (due_at, order) = (row.due_at, row.order);
        self.dirty.insert(place.clone());
        let is_unmade = row.made == Made::NotYet;
        let row = Some(Box::new(row));
        let slot = Slot { due_at, order, is_unmade, row, is_under_way: false };
        self.slots.insert(place, slot);
    }

    /// What was retried leaves; its order, for [`Waiting::end`].
    pub(super) fn leave(&mut self, key: &Key, place: &Place) -> Option<u64> {
        let slot = self.slots.remove(place).expect("what was retried waits");
        self.dirty.remove(place);
        self.resolved.push(place.in_lane(key));
        if let Some(line) = slot.order.and_then(|order| self.lines.get_mut(&order)) {
            line.postponed.remove(place);
        }
        slot.order
    }

    /// What was to be retried stays as it is, and is due later.
    pub(super) fn put_off(&mut self, place: &Place, due_at: Timestamp) {
        let slot = self.slots.get_mut(place).expect("what was retried waits");
        slot.due_at = due_at;
        slot.is_under_way = false;
        let Some(order) = slot.order else {
            self.schedule.insert((due_at, place.clone()));
            return;
        };
        // Once the orders are disbanded, nobody else has it in line.
        let is_in_line = self.lines.get(&order).is_some_and(|line| line.postponed.contains(place));
        self.end(order);
        if !is_in_line {
            self.schedule.insert((due_at, place.clone()));
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
        let idle = self.slots.iter_mut().filter(|(_, slot)| !slot.is_under_way);
        let now = |(place, slot): (&Place, &mut Slot)| {
            slot.due_at = Timestamp::from_millis(0);
            (slot.due_at, place.clone())
        };
        self.schedule = idle.map(now).collect();
    }

    /// The opposite of [`Waiting::disband`].
    pub(super) fn line_up(&mut self) {
        self.schedule.clear();
        let mut orders = BTreeSet::new();
        for (place, slot) in &self.slots {
            match slot.order {
                Some(order) => {
                    self.lines.entry(order).or_default().postponed.insert(place.clone());
                    orders.insert(order);
                }
                None if slot.is_under_way => (),
                None => {
                    self.schedule.insert((slot.due_at, place.clone()));
                }
            }
        }
        for order in orders {
            self.schedule_first(order);
        }
    }

    fn schedule_first(&mut self, order: u64) {
        let Some(line) = self.lines.get(&order).filter(|line| line.under_way == 0) else { return };
        let Some(place) = line.postponed.first() else { return };
        let slot = self.slots.get(place).expect("what is postponed has a slot");
        self.schedule.insert((slot.due_at, place.clone()));
    }

    /// What the next change is to write and to remove.
    pub(super) fn take_changes(&mut self) -> (Vec<Postponed>, Vec<DeliveryId>) {
        let slots = &self.slots;
        let rows = std::mem::take(&mut self.dirty).into_iter().map(|place| {
            let row = slots.get(&place).and_then(|slot| slot.row.as_deref());
            row.expect("what is dirty has its row here").clone()
        });
        (rows.collect(), std::mem::take(&mut self.resolved))
    }

    /// After a change is on disk: rows that it wrote leave memory.
    pub(super) fn written(&mut self, rows: &[Postponed]) {
        for written in rows {
            let place = Place::of(&written.id);
            if self.dirty.contains(&place) {
                continue; // It has changed since.
            }
            if let Some(slot) = self.slots.get_mut(&place) {
                slot.row = None;
            }
        }
    }
}
