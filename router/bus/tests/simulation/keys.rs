//! Events that are sent again under their idempotency key.
//!
//! # Invariants that it checks
//!
//! - Under one key an event is taken in once in a window, over restarts, crashes and lost answers,
//!   whoever sends it again.
//! - A repeat is answered with the id of one that was sent under the key.

use std::collections::BTreeMap;
use std::time::Duration;

use slipswitch_bus::{Clock, Taken};

use crate::model::{Model, Sent};
use crate::world::{Sim, State};

/// An event with a key, as it was sent first.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    pub(crate) sent: Sent,
    pub(crate) key: String,
    pub(crate) detail: String,
}

/// What the model knows of keys.
#[derive(Default)]
pub(crate) struct Keys {
    /// How long the router remembers a key.
    pub(crate) window: Duration,
    /// The wall clock before and after each of its jumps.
    walls: Vec<i64>,
    all: Vec<Keyed>,
    /// By event id: its key, and when it was sent.
    of: BTreeMap<String, (String, Moment)>,
    /// The last one that was taken in under each key.
    taken: BTreeMap<(String, String), Stored>,
    again: Vec<(Stored, Stored)>,
}

/// A moment of the wall clock, and how many jumps were before it.
#[derive(Debug, Clone, Copy)]
struct Moment {
    wall: i64,
    jumps: usize,
}

#[derive(Debug, Clone)]
struct Stored {
    bus: &'static str,
    event: String,
    offset: u64,
    life: usize,
    sent: Moment,
    /// The latest that the wall clock has shown, from its sending until another came.
    latest: i64,
}

impl Keys {
    fn moment(&self, wall: i64) -> Moment {
        Moment { wall, jumps: self.walls.len() }
    }

    fn latest_since(&self, moment: Moment, now: i64) -> i64 {
        let jumps = self.walls[moment.jumps..].iter().copied();
        jumps.chain([now]).max().expect("now is one")
    }

    pub(crate) fn jump(&mut self, before: i64, after: i64) {
        self.walls.extend([before, after]);
    }
}

impl State {
    /// One that was sent before on this bus, and is sent again.
    pub(crate) fn draw_keyed(&mut self, bus: &str) -> Option<Keyed> {
        let all: Vec<&Keyed> =
            self.model.keys.all.iter().filter(|keyed| keyed.sent.bus == bus).collect();
        // Mostly one that came lately: it may be on its way still.
        let lately = &all[all.len().saturating_sub(8)..];
        if lately.is_empty() {
            return None;
        }
        Some(lately[self.random.index(lately.len())].clone())
    }
}

impl Model {
    /// An event is about to be sent under a key.
    pub(crate) fn note_keyed(&mut self, id: &str, keyed: Keyed, wall: i64) {
        let moment = self.keys.moment(wall);
        self.keys.of.insert(id.to_owned(), (keyed.key.clone(), moment));
        if self.keys.all.iter().all(|one| (one.sent.bus, &one.key) != (keyed.sent.bus, &keyed.key))
        {
            self.keys.all.push(keyed);
        }
    }

    /// What is answered is acknowledged, under whichever id.
    pub(crate) fn note_answer(&mut self, id: String, taken: &Taken) {
        let key_of = |id: &str| {
            let (key, _) = self.keys.of.get(id)?;
            Some((self.sent.get(id)?.bus, key))
        };
        let is_right = match taken.is_duplicate {
            true => key_of(&id).is_some() && key_of(&id) == key_of(&taken.id),
            false => taken.id == id,
        };
        if !is_right {
            self.wrong(format!("{id} was answered with {taken:?}"));
        }
        self.acknowledged.insert(taken.id.clone());
    }

    /// An event stands in the journal of the bus that it was sent to.
    pub(crate) fn note_stored(&mut self, bus: &str, event: &str, offset: u64, wall: i64) {
        let Some(sent) = self.sent.get(event).filter(|sent| sent.bus == bus) else { return };
        let Some((key, moment)) = self.keys.of.get(event) else { return };
        let of = (sent.bus.to_owned(), key.clone());
        let life = self.lives;
        let stored = Stored {
            bus: sent.bus,
            event: event.to_owned(),
            offset,
            life,
            sent: *moment,
            latest: wall,
        };
        if let Some(mut before) = self.keys.taken.insert(of, stored.clone()) {
            before.latest = self.keys.latest_since(before.sent, wall);
            self.keys.again.push((before, stored));
        }
    }

    /// Whether what was taken in again could be: its key was too old, or gone with its record in a restart.
    pub(crate) fn check_keys(&mut self, first_of: &BTreeMap<String, u64>) {
        let window = i64::try_from(self.keys.window.as_millis()).expect("windows are short");
        for (before, again) in std::mem::take(&mut self.keys.again) {
            let is_old = before.sent.wall + window <= before.latest;
            let first = first_of.get(before.bus).copied().unwrap_or(0);
            let has_expired = before.life != again.life && before.offset < first;
            if !is_old && !has_expired {
                let (event, offset, life) = (&before.event, before.offset, before.life);
                let first = format!("{event} at {offset} in life {life}");
                let (event, offset, life) = (&again.event, again.offset, again.life);
                self.wrong(format!("{first} has one key with {event} at {offset} in life {life}"));
            }
        }
    }
}

/// The wall clock jumps.
pub(crate) fn jump(sim: &Sim, by: i64) {
    let before = sim.now().as_millis();
    let mut state = sim.lock();
    state.skew += by;
    state.model.keys.jump(before, before + by);
}
