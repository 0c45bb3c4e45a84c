//! What is known of a run from outside, and what it must look like.
//!
//! The model knows what was sent and acknowledged, which rules were in place from which offset on,
//! and what arrived where. It knows nothing of how the router works.
//!
//! # Invariants that it checks
//!
//! - Nothing arrives that no rule wanted, and what arrives is what that rule makes of the event, the
//!   first time as in a replay.
//! - What arrives again has the `DeliveryId` that it had; what is tried again is what was tried.
//! - `settled` and the window claim nothing that is not delivered, postponed or dead (`claims`).
//! - Every acknowledged event is in the journal (`journal`), but for the last ones of a bus that is
//!   synced at intervals (`weak`), and in the archives that are of it
//!   (`archives`); under one idempotency key it is there once (`keys`).
//! - A replay that is completed has sent what the first run has (`replays`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipswitch_bus::delivery::{Delivery, DeliveryId};

use crate::archives::Archive;
use crate::journal::{Logged, index, replay_in, without_replay};
use crate::keys::Keys;
use crate::letters::{Known, Place};
use crate::replays::Replay;
use crate::rules::{Facts, Generation, Rule, is_ordered};
use crate::weak::Weak;
use crate::world::State;

/// An event that somebody sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) bus: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) key: u64,
}

/// A set of rules and where it took effect.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// Not before this offset.
    pub(crate) from: u64,
    /// Surely from this one on; `None` while the swap is under way, or when its end is not known.
    pub(crate) surely: Option<u64>,
    /// A process began with it.
    pub(crate) is_first: bool,
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
    /// Its rule was not there.
    pub(crate) is_removed: bool,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) lives: usize,
    pub(crate) sent: BTreeMap<String, Sent>,
    pub(crate) acknowledged: BTreeSet<String>,
    pub(crate) keys: Keys,
    pub(crate) weak: Weak,
    /// All rules that took effect, in order.
    pub(crate) versions: Vec<Version>,
    /// The first of them in this life.
    pub(crate) life_from: usize,
    /// The first version that a subscription from an earlier life knows of; several where it is not known.
    since: BTreeMap<Key, BTreeSet<usize>>,
    /// The database when this life began.
    pub(crate) stored: BTreeMap<Key, Stored>,
    /// The journal's end when this life began.
    pub(crate) opened_at: u64,
    /// The journal as far as it is durable.
    pub(crate) log: Vec<Logged>,
    /// Each event as it came.
    pub(crate) envelopes: BTreeMap<String, String>,
    /// All rules that ever were.
    pub(crate) history: Vec<Generation>,
    /// How often a delivery arrived.
    pub(crate) arrived: BTreeMap<(Key, String, u64), u32>,
    /// The delivery id of an event, by subscription, replay and output.
    ids: BTreeMap<(Key, String, String, u32), String>,
    /// What was tried last under a delivery id.
    tried: BTreeMap<String, String>,
    pub(crate) replays: BTreeMap<String, Replay>,
    pub(crate) replays_begun: usize,
    pub(crate) archives: BTreeMap<String, Archive>,
    pub(crate) redriven: BTreeSet<Place>,
    /// Sent through the rules: bus, replay and offset.
    pub(crate) redriven_anew: BTreeSet<(String, String, u64)>,
    pub(crate) letters: Known,
    /// No line of the delivery log can be missing.
    pub(crate) is_log_whole: bool,
    /// Targets that are paused, since when.
    pub(crate) paused: BTreeMap<Key, Duration>,
    /// Subscriptions of this life that begin in the past, and where.
    pub(crate) early: BTreeMap<Key, u64>,
    /// Where each bus begins.
    pub(crate) first_of: BTreeMap<String, u64>,
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

    pub(crate) fn is_of(&self, rule: &Rule) -> bool {
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

    /// Whether these rules have this subscription, and it wants such events.
    pub(crate) fn wants(rules: &Generation, key: &Key, facts: Facts) -> bool {
        rules.iter().any(|rule| key.is_of(rule) && rule.wants(facts))
    }

    pub(crate) fn has(rules: &Generation, key: &Key) -> bool {
        rules.iter().any(|rule| key.is_of(rule))
    }

    /// The rules of this life, in order.
    pub(crate) fn of_life(&self) -> &[Version] {
        self.versions.get(self.life_from..).unwrap_or_default()
    }

    /// The rules that an event at this offset meets on its way to a subscription; more than one set where
    /// that is not known.
    pub(crate) fn versions_at(&self, key: &Key, offset: u64) -> Vec<&Generation> {
        let of_life = self.first_version(key);
        let known = || self.since.get(key).into_iter().flatten().copied();
        let mut firsts: BTreeSet<usize> =
            of_life.map_or_else(|| known().collect(), |one| [one].into());
        if firsts.is_empty() {
            firsts.insert(0);
        }
        let all = firsts.into_iter().map(|first| self.versions_from(key, offset, first));
        all.flatten().collect()
    }

    /// Of a subscription that knows of these and later ones.
    fn versions_from(&self, key: &Key, offset: u64, first: usize) -> Vec<&Generation> {
        let begins_anew = self.life_from <= first;
        let mut versions: Vec<&Generation> = Vec::new();
        for (number, version) in self.versions.iter().enumerate().skip(first) {
            // Without any rules at a start, what is on disk waits for them.
            if version.is_first && version.rules.is_empty() && self.stored.contains_key(key) {
                continue;
            }
            // The first covers everything before the second.
            let covers_all = number == first || begins_anew && versions.is_empty();
            if covers_all || version.surely.is_some_and(|surely| surely <= offset) {
                versions = vec![&version.rules];
            } else if version.from <= offset {
                versions.push(&version.rules);
            }
        }
        versions
    }

    /// The first version that a subscription knows of, where that is one of this life: it is new, begins in
    /// the past, or has come back.
    fn first_version(&self, key: &Key) -> Option<usize> {
        let life = self.of_life();
        let stored = self.stored.get(key);
        let was_here = |first: &Version| first.rules.is_empty() || Self::has(&first.rules, key);
        let goes_on =
            stored.is_some_and(|stored| !stored.is_removed) && life.first().is_some_and(was_here);
        if goes_on {
            return None;
        }
        let first = life.iter().position(|version| Self::has(&version.rules, key));
        // What is new in this life begins with its first rules, and meets each in its time.
        let is_new = stored.is_none() && !self.early.contains_key(key);
        Some(self.life_from + if is_new { 0 } else { first? })
    }

    /// A life is over: where the versions begin that its subscriptions will know of.
    pub(crate) fn end_versions(&mut self, now: &BTreeMap<Key, Stored>) {
        for key in now.keys() {
            let mut firsts: BTreeSet<usize> = match self.first_version(key) {
                Some(first) => [first].into(),
                None => self.since.remove(key).unwrap_or_default(),
            };
            // It may have ended, and have begun anew.
            let life = self.of_life();
            let has: Vec<bool> = life.iter().map(|one| Self::has(&one.rules, key)).collect();
            let back = (1..life.len()).filter(|at| has[*at] && !has[*at - 1]);
            firsts.extend(back.map(|at| self.life_from + at));
            self.since.insert(key.clone(), firsts);
        }
    }

    /// Subscriptions that are new with these rules, and begin in the past.
    pub(crate) fn note_early(&mut self, rules: &Generation, first_of: impl Fn(&str) -> u64) {
        for rule in rules.iter().filter(|rule| rule.flow.is_early) {
            for key in Key::all(&vec![rule.clone()]) {
                let was_there = self.stored.contains_key(&key)
                    || self.of_life().iter().any(|version| Self::has(&version.rules, &key));
                if !was_there {
                    let first = first_of(&key.bus);
                    self.early.insert(key, first);
                }
            }
        }
    }

    /// Below, this life owes a subscription nothing new.
    pub(crate) fn owed_from(&self, key: &Key) -> u64 {
        let begin = || self.early.get(key).copied().unwrap_or(self.opened_at);
        self.stored.get(key).map_or_else(begin, |stored| stored.settled)
    }

    /// The rules that may have wanted a delivery.
    fn senders(&self, id: &DeliveryId) -> Vec<&Generation> {
        let key = Key::of(id);
        let Some(facts) = self.facts_at(id.offset) else { return Vec::new() };
        let again = (key.clone(), id.replay.as_deref().unwrap_or("").to_owned(), id.offset);
        if self.redriven.contains(&again) {
            return self.history.iter().collect();
        }
        let anew = (key.bus.clone(), again.1.clone(), id.offset);
        if self.redriven_anew.contains(&anew) {
            let facts = Facts { is_replayed: facts.is_replayed || id.replay.is_some(), ..facts };
            // It is made when there is room, by the rules of then.
            let is_wanted = self.history.iter().any(|rules| Self::wants(rules, &key, facts));
            return if is_wanted { self.history.iter().collect() } else { Vec::new() };
        }
        if let Some(name) = id.replay.as_deref() {
            let of_replay = self
                .replays
                .get(name)
                .filter(|replay| replay.keys.contains(&key) && self.is_in(replay, id.offset));
            let facts = Facts { is_replayed: true, ..facts };
            let versions = of_replay.into_iter().flat_map(|replay| &replay.versions);
            return versions.filter(|rules| Self::wants(rules, &key, facts)).collect();
        }
        let stored = self.stored.get(&key);
        let is_postponed = stored.is_some_and(|stored| stored.postponed.contains(&id.offset));
        if is_postponed {
            return self.history.iter().collect();
        }
        // It may have ended, and have begun anew.
        let versions = self.of_life().iter().map(|version| &version.rules);
        let early: Vec<&Generation> = versions
            .filter(|rules| {
                let mut all = rules.iter();
                all.any(|rule| key.is_of(rule) && rule.flow.is_early && rule.wants(facts))
            })
            .collect();
        let is_done = stored.is_some_and(|stored| stored.done.contains(&id.offset));
        if id.offset < self.owed_from(&key) || is_done {
            return early;
        }
        let versions = self.versions_at(&key, id.offset).into_iter();
        versions.filter(|rules| Self::wants(rules, &key, facts)).chain(early).collect()
    }

    /// What a rule makes of the event of a delivery.
    fn made_by(&self, rules: &Generation, delivery: &Delivery) -> Option<String> {
        let id = &delivery.id;
        let key = Key::of(id);
        let rule = rules.iter().find(|rule| key.is_of(rule))?;
        let logged = self.log.get(index(id.offset))?;
        let sent = self.sent.get(&logged.event)?;
        let envelope = match &id.replay {
            // As it came, but for the name; which one is looked at elsewhere.
            Some(_) => without_replay(&logged.envelope),
            None => logged.envelope.clone(),
        };
        Some(rule.makes(sent, &logged.event, &envelope))
    }

    fn check_arrival(&mut self, delivery: &Delivery, body: &str) -> Result<(), String> {
        let (id, event) = (&delivery.id, delivery.event_id.to_string());
        let key = Key::of(id);
        let sent = self.sent.get(&event).ok_or("it was never sent")?;
        let logged = self.log.get(index(id.offset)).ok_or("the journal has no such offset")?;
        if (&logged.event, &logged.bus) != (&event, &key.bus) {
            return Err(format!("the journal has {} at its offset", logged.event));
        }
        let of_replay = replay_in(body);
        if of_replay.is_some() && of_replay != id.replay.as_deref().or(logged.replay.as_deref()) {
            return Err(format!("it says that it is of the replay {of_replay:?}"));
        }
        if id.replay.is_some() && of_replay.is_none() && body.contains("detail-type") {
            return Err("it does not say that it is of a replay".to_owned());
        }
        let mut senders = self.senders(id);
        if senders.is_empty() {
            return Err("no rule wanted it".to_owned());
        }
        // What is tried again is as it was made, and what stood in line behind another of its order
        // is made when its turn comes.
        // What came in an earlier life is wanted by the pattern of then, and made as the rule is now.
        let is_from_before = id.offset < self.opened_at;
        if 1 < delivery.attempt || is_ordered(&id.rule) || is_from_before {
            senders = self.history.iter().collect();
        }
        let plain = if id.replay.is_some() { without_replay(body) } else { body.to_owned() };
        if !senders.iter().any(|rules| self.made_by(rules, delivery).as_ref() == Some(&plain)) {
            return Err(format!("no rule makes {body} of it"));
        }
        if sent.bus == key.bus {
            let replay = id.replay.as_deref().unwrap_or("").to_owned();
            let of = (key, replay, event, id.output);
            let before = self.ids.entry(of).or_insert_with(|| id.to_string());
            if *before != id.to_string() {
                return Err(format!("its delivery id was {before} before"));
            }
        }
        Ok(())
    }

    /// A target is asked; perhaps it never learns.
    pub(crate) fn note_attempt(&mut self, delivery: &Delivery) {
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        let id = delivery.id.to_string();
        let before = self.tried.insert(id.clone(), body.clone());
        // Through the rules it may be made anew while a replay still tries what it was.
        let of = &delivery.id;
        let replay = of.replay.as_deref().unwrap_or("").to_owned();
        let is_anew = self.redriven_anew.contains(&(of.bus.to_string(), replay, of.offset));
        let has_changed = before.as_ref().is_some_and(|before| *before != body);
        if 1 < delivery.attempt && has_changed && !is_anew {
            let attempt = delivery.attempt;
            self.wrong(format!("attempt {attempt} of {id} sends {body}, and before it {before:?}"));
        }
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

    pub(crate) fn has_arrived(&self, key: &Key, replay: &str, offset: u64) -> bool {
        if key.target == "on" {
            // It went into the journal.
            let Some(event) = self.log.get(index(offset)).map(|logged| &logged.event) else {
                return false;
            };
            return self.log.iter().any(|logged| {
                let name = logged.replay.as_deref().unwrap_or("");
                logged.bus == "side" && logged.event == *event && name == replay
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
