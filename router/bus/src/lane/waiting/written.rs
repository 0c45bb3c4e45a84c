//! Rows that come onto the disk, and those that are not tried before.

use super::{Slot, Waiting};
use crate::state::{Place, Postponed};

/// Rows that are written down and kept in memory all the same, because they are about to be sent.
const UNTRIED_ROWS_MAX: usize = 256;

impl Waiting {
    /// A new row that is due as soon as it is written down.
    pub(in crate::lane) fn write_first(&mut self, row: Postponed) {
        let spot = self.spot(&Place::of(&row.id));
        let mut slot = Slot::new(row.due_at, row.order, false);
        (slot.is_unwritten, slot.is_untried) = (true, true);
        if let Some(order) = slot.order() {
            self.lines.entry(order).or_default().postponed.insert(spot);
        }
        self.slots.insert(spot, slot);
        self.dirty.insert(spot);
        self.rows.insert(spot, Box::new(row));
    }

    /// After a change is on disk: rows that it wrote leave memory, but those whose time has come by it. True when
    /// there are such.
    pub(in crate::lane) fn written(&mut self, rows: &[Postponed]) -> bool {
        let mut is_new = false;
        for written in rows {
            let spot = self.spot(&Place::of(&written.id));
            let Some(slot) = self.slots.get_mut(&spot) else { continue };
            if std::mem::take(&mut slot.is_unwritten) {
                is_new = true;
                let (due_at, is_under_way) = (slot.due_at, slot.is_under_way);
                // Once the orders are disbanded, nobody has it in line.
                let order = slot.order();
                let line = order.and_then(|order| self.lines.get(&order));
                let is_in_line = line.is_some_and(|line| line.postponed.contains(&spot));
                match order.filter(|_| is_in_line) {
                    Some(order) => self.schedule_first(order),
                    None if is_under_way => (),
                    None => {
                        self.schedule.insert((due_at, spot));
                    }
                }
                if self.rows.len() <= UNTRIED_ROWS_MAX {
                    continue; // It is about to be sent.
                }
            }
            // It may have changed since.
            if !self.dirty.contains(&spot) {
                self.rows.remove(&spot);
            }
        }
        is_new
    }
}
