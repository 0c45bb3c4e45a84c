//! What is known of a run from outside, and what it must look like.
//!
//! The model knows what was sent and acknowledged, which rules were in place from which offset on,
//! and what arrived where. It knows nothing of how the router works.
//!
//! # Invariants that it checks
//!
//! - Nothing arrives that no rule wanted, and what arrives has the bytes that were sent.
//! - What arrives again has the `DeliveryId` that it had.
//! - `settled` and the window claim nothing that is not delivered, postponed or dead (`claims`).
//! - Every acknowledged event is in the journal (`claims`).

use std::collections::{BTreeMap, BTreeSet};

use slipswitch_bus::delivery::{Delivery, DeliveryId};

use crate::rules::{Generation, Rule};
use crate::world::State;

/// An event that somebody sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) bus: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) key: u64,
    pub(crate) detail: String,
}

/// A set of rules and where it took effect.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// Not before this offset.
    pub(crate) from: u64,
    /// Surely from this one on; `None` while the swap is under way, or when its end is not known.
    pub(crate) surely: Option<u64>,
    pub(crate) rules: Generation,
}

/// A subscription by bus, rule and target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) bus: String,
    pub(crate) rule: String,
    pub(crate) target: String,
}

/// What the database said of a subscription when a life began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) settled: u64,
    pub(crate) done: BTreeSet<u64>,
    pub(crate) postponed: BTreeSet<u64>,
}

/// A replay that somebody started.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    pub(crate) span: std::ops::Range<u64>,
    /// Its subscriptions.
    pub(crate) keys: Vec<Key>,
    /// All rules that it may have met.
    pub(crate) versions: Vec<Generation>,
}

#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) bus: String,
    pub(crate) event: String,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) lives: usize,
    pub(crate) sent: BTreeMap<String, Sent>,
    pub(crate) acknowledged: BTreeSet<String>,
    /// The rules of this life, in order.
    pub(crate) versions: Vec<Version>,
    /// The database when this life began.
    pub(crate) stored: BTreeMap<Key, Stored>,
    /// The journal's end when this life began.
    pub(crate) opened_at: u64,
    /// The journal as far as it has been looked at.
    pub(crate) log: Vec<Logged>,
    /// How often a delivery arrived.
    pub(crate) arrived: BTreeMap<(Key, String, u64), u32>,
    /// The delivery id of an event, by subscription, replay and output.
    ids: BTreeMap<(Key, String, String, u32), String>,
    /// What arrived by offset, to be compared with the journal.
    seen: BTreeMap<(String, u64), String>,
    pub(crate) replays: BTreeMap<String, Replay>,
    pub(crate) redriven: BTreeSet<(Key, String, u64)>,
    pub(crate) violations: Vec<String>,
    /// Counts arrivals and ends, so that they have an order.
    moment: u64,
    /// When a live delivery arrived first, and when its target or its attempts ended it.
    pub(crate) first: BTreeMap<(Key, u64), u64>,
    pub(crate) given_up: BTreeMap<(Key, u64), u64>,
    /// The ones of `first` that came in this life.
    pub(crate) new: Vec<(Key, u64)>,
}

impl Key {
    pub(crate) fn of(id: &DeliveryId) -> Self {
        Self { bus: id.bus.to_string(), rule: id.rule.to_string(), target: id.target.to_string() }
    }

    fn is_of(&self, rule: &Rule) -> bool {
        let has_target = rule.targets.contains(&self.target);
        rule.name == self.rule
            && rule.bus == self.bus
            && (has_target || (self.target == "on" && rule.forwards))
    }

    pub(crate) fn all(rules: &Generation) -> Vec<Key> {
        let keys = rules.iter().flat_map(|rule| {
            let forward = rule.forwards.then(|| "on".to_owned());
            rule.targets.iter().cloned().chain(forward).map(|target| Key {
                bus: rule.bus.to_owned(),
                rule: rule.name.clone(),
                target,
            })
        });
        keys.collect()
    }
}

impl Model {
    pub(crate) fn life(&self) -> usize {
        self.lives
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.violations.push(what);
    }

    /// Whether these rules have this subscription, and it wants events of this kind.
    pub(crate) fn wants(rules: &Generation, key: &Key, kind: &str) -> bool {
        rules.iter().any(|rule| key.is_of(rule) && rule.kinds.contains(&kind))
    }

    pub(crate) fn has(rules: &Generation, key: &Key) -> bool {
        rules.iter().any(|rule| key.is_of(rule))
    }

    /// The rules that an event at this offset meets in this life on its way to a subscription; more than
    /// one set where that is not known.
    pub(crate) fn versions_at(&self, key: &Key, offset: u64) -> Vec<&Generation> {
        let mut versions: Vec<&Generation> = Vec::new();
        let waits = self.waits_for_rules(key);
        for version in &self.versions {
            // What waits for its rules meets the first that come, wherever it is.
            let (from, surely) = if waits && versions.iter().all(|rules| rules.is_empty()) {
                (0, version.surely.map(|_| 0))
            } else {
                (version.from, version.surely)
            };
            if surely.is_some_and(|surely| surely <= offset) {
                versions = vec![&version.rules];
            } else if from <= offset {
                versions.push(&version.rules);
            }
        }
        versions
    }

    /// It was on disk when a life began that had no rules at all.
    fn waits_for_rules(&self, key: &Key) -> bool {
        self.stored.contains_key(key)
            && self.versions.first().is_some_and(|first| first.rules.is_empty())
    }

    /// Below, this life owes a subscription nothing new.
    pub(crate) fn owed_from(&self, key: &Key) -> u64 {
        self.stored.get(key).map_or(self.opened_at, |stored| stored.settled)
    }

    fn is_wanted(&self, key: &Key, replay: Option<&str>, offset: u64, kind: &str) -> bool {
        let again = (key.clone(), replay.unwrap_or("").to_owned(), offset);
        if self.redriven.contains(&again) {
            return true;
        }
        if let Some(name) = replay {
            return self.replays.get(name).is_some_and(|replay| {
                replay.span.contains(&offset)
                    && replay.keys.contains(key)
                    && replay.versions.iter().any(|rules| Self::wants(rules, key, kind))
            });
        }
        let stored = self.stored.get(key);
        let is_owed = self.owed_from(key) <= offset
            && !stored.is_some_and(|stored| stored.done.contains(&offset));
        let is_postponed = stored.is_some_and(|stored| stored.postponed.contains(&offset));
        is_postponed
            || (is_owed
                && self.versions_at(key, offset).iter().any(|rules| Self::wants(rules, key, kind)))
    }

    fn check_arrival(&mut self, delivery: &Delivery, body: &str) -> Result<(), String> {
        let (id, event) = (&delivery.id, delivery.event_id.to_string());
        let key = Key::of(id);
        let replay = id.replay.as_deref();
        let sent = self.sent.get(&event).ok_or("it was never sent")?;
        if !body.contains(&sent.detail) {
            return Err(format!("it has other bytes than {}", sent.detail));
        }
        let has_name = body.contains("\"replay-name\":");
        // What another bus has passed on has the name in its journal.
        if sent.bus == key.bus && has_name != replay.is_some() {
            return Err("it says of itself whether it is a replay, and is wrong".to_owned());
        }
        if !self.is_wanted(&key, replay, id.offset, sent.kind) {
            return Err("no rule wanted it".to_owned());
        }
        let in_log = (id.bus.to_string(), id.offset);
        let before = self.seen.entry(in_log).or_insert_with(|| event.clone());
        if *before != event {
            return Err(format!("there was {before} at its offset before"));
        }
        if sent.bus == key.bus {
            let replay = replay.unwrap_or("").to_owned();
            let of = (key, replay, event, id.output);
            let before = self.ids.entry(of).or_insert_with(|| id.to_string());
            if *before != id.to_string() {
                return Err(format!("its delivery id was {before} before"));
            }
        }
        Ok(())
    }

    fn note_first(&mut self, id: &DeliveryId) {
        self.moment += 1;
        let place = (Key::of(id), id.offset);
        if id.replay.is_none() && !self.first.contains_key(&place) {
            self.first.insert(place.clone(), self.moment);
            self.new.push(place);
        }
    }

    /// It was refused for good, or this was perhaps its last attempt.
    pub(crate) fn note_end(&mut self, delivery: &Delivery, is_refused: bool) {
        self.moment += 1;
        let key = Key::of(&delivery.id);
        let all = self.versions.iter().flat_map(|version| &version.rules);
        let mut attempts = all.filter(|rule| key.is_of(rule)).map(|rule| rule.attempts);
        if is_refused || attempts.any(|attempts| attempts <= delivery.attempt) {
            self.given_up.entry((key, delivery.id.offset)).or_insert(self.moment);
        }
    }

    /// Whether what arrived is what the journal has at these offsets.
    pub(crate) fn check_seen(&mut self) {
        let wrong = self.seen.iter().find(|((bus, offset), event)| {
            let logged = usize::try_from(*offset).ok().and_then(|offset| self.log.get(offset));
            logged.is_none_or(|logged| logged.bus != *bus || logged.event != **event)
        });
        if let Some(((bus, offset), event)) = wrong {
            let what =
                format!("{event} arrived as {bus}/{offset}, which the journal does not have");
            self.wrong(what);
        }
    }

    pub(crate) fn has_arrived(&self, key: &Key, replay: &str, offset: u64) -> bool {
        if key.target == "on" {
            // It went into the journal.
            let event = usize::try_from(offset).ok().and_then(|offset| self.log.get(offset));
            return event.is_some_and(|event| {
                self.log.iter().any(|logged| logged.bus == "side" && logged.event == event.event)
            });
        }
        self.arrived.contains_key(&(key.clone(), replay.to_owned(), offset))
    }
}

impl State {
    pub(crate) fn arrived(&mut self, delivery: &Delivery) {
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        self.note(|| format!("arrives: {} of event {}", delivery.id, delivery.event_id));
        if let Err(what) = self.model.check_arrival(delivery, &body) {
            let what = format!("{} of event {} arrived: {what}", delivery.id, delivery.event_id);
            self.note(|| format!("WRONG: {what}"));
            self.model.wrong(what);
        }
        let id = &delivery.id;
        self.model.note_first(id);
        let replay = id.replay.as_deref().unwrap_or("").to_owned();
        *self.model.arrived.entry((Key::of(id), replay, id.offset)).or_default() += 1;
    }
}
