//! A bus whose durability is an interval: what is acknowledged before it is synced.
//!
//! # Invariants that it checks
//!
//! - A crash loses of it what was acknowledged within the interval, and nothing older.
//! - A stop in order loses nothing, unless the disk failed.

use std::collections::BTreeMap;
use std::time::Duration;

use slipswitch_bus::Taken;

use crate::model::Model;
use crate::rules::BUSES;
use crate::world::State;

/// The bus that may be one.
pub(crate) const WEAK: &str = BUSES[1];
/// How late the journal's turn may be in a simulation.
const LATE: Duration = Duration::from_millis(150);

#[derive(Default)]
pub(crate) struct Weak {
    /// None: all buses are synced.
    pub(crate) interval: Option<Duration>,
    /// The disk may have failed in this life, or have been full.
    pub(crate) has_trouble: bool,
    /// When the last life ended, and whether in order.
    pub(crate) end: Option<(Duration, bool)>,
    /// When this life acknowledged them.
    acknowledged: BTreeMap<String, Duration>,
}

impl State {
    pub(crate) fn note_weak(&mut self, bus: &str, taken: &Taken) {
        if self.model.weak.interval.is_some() && bus == WEAK && !taken.is_duplicate {
            let at = self.elapsed();
            self.model.weak.acknowledged.insert(taken.id.clone(), at);
        }
    }
}

impl Model {
    /// Of events that are acknowledged and not there, those that must be.
    pub(crate) fn not_given_up(&mut self, lost: Vec<String>) -> Vec<String> {
        let weak = std::mem::take(&mut self.weak);
        let may_be_lost = |id: &String| {
            let Some(at) = weak.acknowledged.get(id) else { return false };
            let (end, in_order) = weak.end.expect("a life has ended");
            let interval = weak.interval.expect("it was noted");
            weak.has_trouble || !in_order && end <= *at + interval + LATE
        };
        let (gone, lost): (Vec<String>, Vec<String>) = lost.into_iter().partition(may_be_lost);
        for id in gone {
            self.acknowledged.remove(&id);
        }
        self.weak.interval = weak.interval;
        lost
    }
}
