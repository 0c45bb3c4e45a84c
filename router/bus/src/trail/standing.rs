//! How the deliveries of an event stand, beyond what their attempts on record say.
//!
//! # Invariants
//!
//! - What is owed is told by rows and lanes alone: an attempt after the last one on record may have
//!   ended it, and its line been lost with a process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use delivery::{Circuit, CircuitState};
use journal::Offset;

use super::fate::{Course, DeliveryFate, DeliveryState, blank, is_known};
use super::search::FoundEvent;
use crate::core::Core;
use crate::key::Key;
use crate::lane::{Inner, Lane};
use crate::state::{Owing, Stopped};

impl Core {
    /// Adds what the state database and the lanes hold.
    pub(super) fn join(
        &self,
        event: &FoundEvent,
        owing: Vec<Owing>,
        deliveries: &mut BTreeMap<Course, DeliveryFate>,
    ) {
        let mut rows = BTreeSet::new();
        for one in owing {
            let course = (one.rule.clone(), one.target.clone(), one.replay.clone(), one.output);
            let fate = deliveries
                .entry(course.clone())
                .or_insert_with(|| blank(&course, DeliveryState::Waiting));
            if one.letter.is_none() {
                rows.insert(course);
            }
            fate.take_in(one);
        }
        let offset = Offset::new(event.offset);
        for (course, fate) in deliveries.iter_mut().filter(|(course, _)| !rows.contains(*course)) {
            if matches!(fate.state, DeliveryState::Postponed | DeliveryState::Waiting) {
                fate.state = self.standing(&event.bus, offset, (course, fate));
                if fate.state != DeliveryState::Postponed {
                    fate.next_attempt_at = None;
                }
            }
        }
    }

    /// Of a delivery of which no end is on record, and no row.
    fn standing(
        &self,
        bus: &str,
        offset: Offset,
        (course, fate): (&Course, &DeliveryFate),
    ) -> DeliveryState {
        let (rule, target, replay, output) = course;
        let live = Key::live(bus, rule, target);
        let own = replay.as_ref().map_or_else(|| live.clone(), |name| live.replaying(name));
        let lanes = self.lanes();
        // A replay's delivery that was sent again is the live subscription's.
        let waits_in = |lane: &Arc<Lane>| {
            let inner = lane.lock();
            let mut waiting = inner.waiting_of(offset);
            waiting.any(|(id, _)| id.output == *output && id.replay.as_deref() == replay.as_deref())
        };
        if [&own, &live].into_iter().filter_map(|key| lanes.get(key)).any(waits_in) {
            return DeliveryState::Postponed;
        }
        match (fate.dead_letter_state.as_deref(), lanes.get(&own)) {
            (Some("delivered"), _) => DeliveryState::Delivered,
            (Some(_), _) => DeliveryState::Dead,
            (None, Some(lane)) if !lane.lock().is_past(offset) => DeliveryState::Waiting,
            (None, _) => DeliveryState::Unrecorded,
        }
    }
}

impl Core {
    /// Says of what waits whether it is under way, and whether something has stopped its target.
    pub(super) fn add_stops(
        &self,
        event: &FoundEvent,
        deliveries: &mut BTreeMap<Course, DeliveryFate>,
    ) {
        let held = self.state_trouble().map(|by| {
            format!("the state database cannot be written since {}: {}", by.since, by.reason)
        });
        let lanes = self.lanes();
        let waiting = [DeliveryState::Waiting, DeliveryState::Postponed];
        for fate in deliveries.values_mut().filter(|fate| waiting.contains(&fate.state)) {
            fate.held.clone_from(&held);
            let live = Key::live(&event.bus, &fate.rule, &fate.target);
            let own = fate.replay.as_ref().map(|name| live.replaying(name));
            let id = own.as_ref().unwrap_or(&live).delivery(Offset::new(event.offset), fate.output);
            let own = own.and_then(|own| lanes.get(&own));
            let Some(lane) = own.or_else(|| lanes.get(&live)) else { continue };
            let inner = lane.lock();
            fate.under_way = inner.is_under_way(&id);
            fate.stopped = stop(&inner);
        }
    }
}

impl Core {
    /// The subscriptions without a rule that have not come to it. Whether their rules matched is not
    /// known any more, unless only the target is gone.
    pub(super) fn add_removed(
        &self,
        event: &FoundEvent,
        matches: &[String],
        deliveries: &mut BTreeMap<Course, DeliveryFate>,
    ) {
        let rules = Arc::clone(&self.routes.load().rules);
        let runs = |key: &Key| {
            let mut rules = rules.rules().iter().filter(|rule| rule.enabled);
            rules.any(|rule| *rule.bus == *key.bus && *rule.name == *key.rule)
        };
        let dormant = self.dormant();
        let on_bus = dormant.iter().filter(|stored| *stored.key.bus == event.bus);
        for stored in on_bus.filter(|stored| stored.key.replay.is_none()) {
            let key = &stored.key;
            let is_past = event.offset < stored.settled.get() || stored.done.contains(event.offset);
            let may_match = matches.iter().any(|rule| **rule == *key.rule) || !runs(key);
            if is_past || !may_match || is_known(deliveries, key) {
                continue;
            }
            let course = (key.rule.as_ref().to_owned(), key.target.as_ref().to_owned(), None, 0);
            let mut fate = blank(&course, DeliveryState::Removed);
            fate.removed_at = stored.removed;
            fate.kept_until = stored.removed.map(|at| at.after(self.options.removed_kept));
            deliveries.insert(course, fate);
        }
    }
}

/// What keeps a target from being sent anything, in words.
pub(crate) fn stop(inner: &Inner) -> Option<String> {
    let said = |what: &str, by: &Stopped| {
        let why = if by.reason.is_empty() { String::new() } else { format!(": {}", by.reason) };
        Some(format!("{what} since {}{why}", by.since))
    };
    if let Some(disabled) = inner.disabled() {
        return said("disabled", disabled);
    }
    if let Some(paused) = inner.paused() {
        return said("paused", paused);
    }
    let (plugins, fault) = inner.plugins();
    let of_target = open("down", inner.circuit());
    of_target.or_else(|| {
        let open = open("not sent what its plugins have not made: their circuit is open", plugins)?;
        Some(format!("{open}{}", fault.map(|fault| format!(": {fault}")).unwrap_or_default()))
    })
}

/// None when it is closed.
fn open(what: &str, circuit: &Circuit) -> Option<String> {
    let since = || circuit.since().map(|since| format!(" since {since}")).unwrap_or_default();
    match (circuit.state(), circuit.probe_at()) {
        (CircuitState::Closed, _) => None,
        (_, Some(at)) => Some(format!("{what}{}, probed again at {at}", since())),
        (_, None) => Some(format!("{what}{}, and probed right now", since())),
    }
}

impl DeliveryFate {
    fn take_in(&mut self, owing: Owing) {
        self.attempts = self.attempts.max(owing.attempts);
        match owing.letter {
            None => {
                self.state = DeliveryState::Postponed;
                self.next_attempt_at = Some(owing.due_at);
                self.error = Some(owing.error);
            }
            Some((number, state)) => {
                if state == "dead" {
                    self.state = DeliveryState::Dead;
                    self.next_attempt_at = None;
                    self.error = Some(owing.error);
                }
                self.dead_letter = Some(number);
                self.dead_letter_state = Some(state);
            }
        }
        self.last_attempt_at = self.last_attempt_at.max(Some(owing.last_attempt_at));
    }
}
