//! What is on the disks between two lives, held against the model.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringTreemap;
use rusqlite::Connection;
use slipswitch_bus::Clock;
use slipswitch_bus::simulation::World;

use crate::journal::index;
use crate::letters::{self, Letters, Place};
use crate::model::{Key, Model, Stored};
use crate::rules::is_ordered;
use crate::tally::{self, Claims};
use crate::world::Around;
use crate::{archives, replays};

/// What the database holds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) subscriptions: BTreeMap<Key, Stored>,
    /// Of live subscriptions and of replays, whatever became of them.
    pub(crate) dead: BTreeSet<Place>,
    /// Of live subscriptions alone, but with what they have taken over from replays.
    pub(crate) postponed: BTreeSet<Place>,
    pub(crate) letters: Letters,
    pub(crate) paused: BTreeSet<Key>,
    pub(crate) replays: replays::Rows,
    archives: archives::Rows,
    tallies: tally::Rows,
}

impl Around {
    /// Reads journal and database, compares, and makes them the beginning of the next life.
    pub(crate) fn look(&self, is_last: bool) {
        let sim = &self.0;
        let found = self.read_database();
        let names: Vec<String> = found.archives.keys().cloned().collect();
        let held = match self.read_disk(&names) {
            Ok(held) => held,
            Err(error) => {
                return sim.lock().model.wrong(format!("the journal cannot be read: {error}"));
            }
        };
        let wall = sim.now().as_millis();
        let model = &mut sim.lock().model;
        model.check_held(&held, wall);
        model.check_keys(&held.first);
        model.check_archives(&found.archives, &held);
        model.check_replays(&found, is_last);
        model.check_letters(&found, is_last);
        model.check_claims(&found);
        model.check_stops(&found);
        let redriven = found.letters.values().map(|letter| {
            let (key, _, offset) = letter.place.clone();
            (key.bus, offset)
        });
        let anew = model.redriven_anew.iter().map(|(bus, _, offset)| (bus.clone(), *offset));
        let redriven = redriven.chain(anew);
        let claims = Claims { found: &found.subscriptions, redriven: redriven.collect() };
        model.check_tallies(&found.tallies, &claims);
        model.end_versions(&found.subscriptions);
        model.early.clear();
        model.first_of.clone_from(&held.first);
        model.stored = found.subscriptions;
        model.opened_at = model.log.len() as u64;
    }

    pub(crate) fn read_database(&self) -> Found {
        let database = self.database();
        let database = database.lock().expect("nothing panics with it");
        let has_tables = database.prepare("SELECT 1 FROM subscriptions").is_ok();
        if has_tables { read(&database).expect("it can be read") } else { Found::default() }
    }
}

fn read(database: &Connection) -> rusqlite::Result<Found> {
    let number = |row: &rusqlite::Row<'_>, column: usize| {
        row.get::<_, i64>(column).map(|number| u64::try_from(number).expect("it is an offset"))
    };
    let key = |row: &rusqlite::Row<'_>| {
        Ok::<_, rusqlite::Error>(Key { bus: row.get(0)?, rule: row.get(1)?, target: row.get(2)? })
    };
    let mut subscriptions = BTreeMap::new();
    let mut select = database.prepare(
        "SELECT bus, rule, target, settled, done, removed FROM subscriptions WHERE replay = ''",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let done = RoaringTreemap::deserialize_from(&row.get::<_, Vec<u8>>(4)?[..]);
        let stored = Stored {
            settled: number(row, 3)?,
            done: done.expect("the window can be read").iter().collect(),
            postponed: BTreeSet::new(),
            is_removed: row.get::<_, Option<i64>>(5)?.is_some(),
        };
        subscriptions.insert(key(row)?, stored);
    }
    let mut select = database.prepare(
        "SELECT s.bus, s.rule, s.target, p.offset FROM postponed p
         JOIN subscriptions s ON s.id = p.subscription WHERE s.replay = '' AND p.replay = ''",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let stored: &mut Stored = subscriptions.get_mut(&key(row)?).expect("it is joined");
        stored.postponed.insert(number(row, 3)?);
    }
    let mut postponed = BTreeSet::new();
    let mut select = database.prepare(
        "SELECT s.bus, s.rule, s.target, p.replay, p.offset FROM postponed p
         JOIN subscriptions s ON s.id = p.subscription WHERE s.replay = ''",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        postponed.insert((key(row)?, row.get(3)?, number(row, 4)?));
    }
    let mut select = database.prepare(
        "SELECT bus, rule, target FROM subscriptions WHERE replay = '' AND paused IS NOT NULL",
    )?;
    let paused = select.query_map([], key)?.collect::<rusqlite::Result<BTreeSet<Key>>>()?;
    let letters = letters::read(database)?;
    let dead = letters.values().map(|letter| letter.place.clone()).collect();
    let (replays, archives) = (replays::read(database)?, archives::read(database)?);
    let tallies = tally::read(database)?;
    Ok(Found { subscriptions, dead, postponed, letters, paused, replays, archives, tallies })
}

impl Model {
    /// What this life says is done must be done.
    fn check_claims(&mut self, found: &Found) {
        let mut keys: BTreeSet<Key> = self.stored.keys().cloned().collect();
        for version in self.of_life().iter().filter(|version| version.surely.is_some()) {
            keys.extend(Key::all(&version.rules));
        }
        self.check_order();
        for key in keys {
            let now = found.subscriptions.get(&key);
            if now.is_none() && self.was_never_here(&key) {
                continue;
            }
            self.check_of(&key, now, found);
        }
    }

    /// It ended before this life matched anything for it, and only what was postponed is spoken of; or the
    /// life ended before it stood on disk, and it begins once more where it began.
    fn was_never_here(&self, key: &Key) -> bool {
        let is_there = self.of_life().last().is_some_and(|last| Self::has(&last.rules, key));
        if is_there && self.early.contains_key(key) && !self.stored.contains_key(key) {
            return true;
        }
        self.of_life().iter().all(|version| !Self::has(&version.rules, key))
            && self.stored.get(key).is_none_or(|stored| stored.postponed.is_empty())
    }

    fn check_of(&mut self, key: &Key, now: Option<&Stored>, found: &Found) {
        let end = self.log.len() as u64;
        let from = self.owed_from(key);
        let before = self.stored.get(key).cloned().unwrap_or_default();
        for offset in 0..end {
            let claimed = match now {
                Some(now) => offset < now.settled || now.done.contains(&offset),
                None => true, // Its end was written down: nothing is owed any more.
            };
            let is_kept = now.is_some_and(|now| now.postponed.contains(&offset));
            let was_owed = from <= offset && !before.done.contains(&offset);
            let must = before.postponed.contains(&offset)
                || (was_owed && claimed && self.must_have(key, offset));
            let place = (key.clone(), String::new(), offset);
            let is_done = self.has_arrived(key, "", offset)
                || found.dead.contains(&place)
                || self.is_purgeable(&place);
            if must && !is_kept && !is_done {
                let said = now.map(|now| now.settled);
                let event = self.log[index(offset)].event.clone();
                self.wrong(format!("{key:?} claims {offset} (event {event}; settled {said:?}), which is neither delivered nor postponed nor dead"));
            }
        }
    }

    /// Of one key, nothing arrives before what came earlier has arrived or ended.
    fn check_order(&mut self) {
        let ordered = |key: &Key| {
            // What went away and came back has an order of its own.
            is_ordered(&key.rule)
                && self.of_life().iter().all(|version| Self::has(&version.rules, key))
        };
        let mut wrong = Vec::new();
        // What was dead and is sent again has lost its place.
        let is_redriven = |key: &Key, offset: u64| {
            self.redriven.contains(&(key.clone(), String::new(), offset))
                || self.redriven_anew.contains(&(key.bus.clone(), String::new(), offset))
        };
        let in_order = |(key, offset): &&(Key, u64)| ordered(key) && !is_redriven(key, *offset);
        for (key, offset) in self.new.iter().filter(in_order) {
            let moment = self.first[&(key.clone(), *offset)];
            let before = (self.owed_from(key)..*offset).rev();
            let is_late = |earlier: &u64| {
                let place = (key.clone(), *earlier);
                let ends = [self.first.get(&place), self.given_up.get(&place)];
                !ends.into_iter().flatten().any(|end| *end < moment)
            };
            // What was postponed in a life before waits for no event that only a new rule wants.
            let is_from_before = |offset: &u64| {
                self.stored.get(key).is_some_and(|stored| stored.postponed.contains(offset))
            };
            let before = before.filter(|at| !is_from_before(offset) || is_from_before(at));
            let mut missed = before.filter(|earlier| {
                self.key_at(*earlier) == self.key_at(*offset)
                    && self.is_owed_still(key, *earlier)
                    && self.must_have(key, *earlier)
                    && is_late(earlier)
            });
            if let Some(earlier) = missed.next() {
                wrong.push(format!("{key:?} got {offset} before {earlier} of the same order"));
            }
        }
        self.violations.append(&mut wrong);
        self.new.clear();
    }

    fn key_at(&self, offset: u64) -> Option<u64> {
        Some(self.sent.get(&self.log.get(index(offset))?.event)?.key)
    }

    fn is_owed_still(&self, key: &Key, offset: u64) -> bool {
        self.stored.get(key).is_none_or(|stored| !stored.done.contains(&offset))
    }

    /// Whether every rule set that the event may have met wants it.
    fn must_have(&self, key: &Key, offset: u64) -> bool {
        let Some(logged) = self.log.get(index(offset)) else { return false };
        let Some(facts) = self.facts_at(offset) else { return false };
        let versions = self.versions_at(key, offset);
        logged.bus == key.bus
            && !versions.is_empty()
            && versions.iter().all(|rules| Self::wants(rules, key, facts))
    }
}
