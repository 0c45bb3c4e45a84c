//! Dead letters: sent again and purged by the director, and held against what arrived.
//!
//! # Invariants that it checks
//!
//! - A letter stays, with its history, until somebody purges it.
//! - One that is being sent again waits as a delivery; one that was delivered has arrived since.
//! - At the very end none is on its way.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use slipswitch_bus::delivery::{DeadLetter, LetterState};
use slipswitch_bus::{DeadLetterFilter, LetterChoice, Redrive, RedriveTo, Router};

use crate::archives::pattern;
use crate::claims::Found;
use crate::model::{Key, Model};
use crate::rules::KINDS;
use crate::world::Sim;

/// A delivery: of which subscription, replay and offset.
pub(crate) type Place = (Key, String, u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) place: Place,
    state: String,
    redriven: u64,
    attempts: u64,
}

pub(crate) type Letters = BTreeMap<i64, Letter>;

/// What the model knows of letters.
#[derive(Default)]
pub(crate) struct Known {
    /// On disk, when a life ended.
    last: Letters,
    purged: BTreeSet<i64>,
    /// Deliveries of letters that somebody has purged, or wanted to.
    may_be_gone: BTreeSet<Place>,
    /// How often each had arrived when it was sent again last.
    before: BTreeMap<Place, u32>,
    /// Those that were sent through the rules.
    through_rules: BTreeSet<Place>,
}

fn place(letter: &DeadLetter) -> Place {
    let (bus, rule, target) = (&letter.bus, &letter.rule, &letter.target);
    let key = Key { bus: bus.clone(), rule: rule.clone(), target: target.clone() };
    (key, letter.replay.clone().unwrap_or_default(), letter.offset)
}

pub(crate) async fn tend(sim: &Sim, router: &Router) {
    let filter = DeadLetterFilter { limit: 1000, ..DeadLetterFilter::default() };
    let letters = match router.dead_letters(filter.clone()).await {
        Ok(letters) => letters.items,
        Err(error) => return sim.note(|| format!("no dead letters: {error}")),
    };
    let ids: Vec<i64> = letters.iter().map(|one| one.id).collect();
    let which = match sim.draw(3) {
        0 => {
            let kind = KINDS[sim.lock().random.index(KINDS.len())];
            let filter = DeadLetterFilter { pattern: Some(pattern(&[kind])), ..filter };
            Redrive::Matching(filter)
        }
        1 => Redrive::Ids(ids.iter().copied().step_by(2).collect()),
        _ => Redrive::Ids(ids),
    };
    match sim.draw(5) {
        0 => purge(sim, router, &letters, which).await,
        1 | 2 => redrive(sim, router, &letters, (which, RedriveTo::Rules(Vec::new()))).await,
        _ => redrive(sim, router, &letters, (which, RedriveTo::Target)).await,
    }
}

/// Sends all of them again, when everything works.
pub(crate) async fn redrive_all(sim: &Sim, router: &Router) {
    let filter = DeadLetterFilter { limit: 1000, ..DeadLetterFilter::default() };
    if let Ok(letters) = router.dead_letters(filter.clone()).await {
        let all = (Redrive::Matching(filter), RedriveTo::Target);
        redrive(sim, router, &letters.items, all).await;
    }
}

async fn redrive(
    sim: &Sim,
    router: &Router,
    letters: &[DeadLetter],
    (which, to): (Redrive, RedriveTo),
) {
    for letter in letters {
        let place = place(letter);
        let model = &mut sim.lock().model;
        let count = model.arrived.get(&place).copied().unwrap_or(0);
        model.letters.before.insert(place.clone(), count);
        match to {
            RedriveTo::Target => drop(model.redriven.insert(place)),
            RedriveTo::Rules(_) => {
                let of = (place.0.bus.clone(), place.1.clone(), place.2);
                model.redriven_anew.insert(of);
                model.letters.through_rules.insert(place);
            }
        }
    }
    let redriven = sim.ask(router.redrive(which, to.clone())).await;
    sim.note(|| format!("redrive of {} to {to:?}: {redriven:?}", letters.len()));
}

async fn purge(sim: &Sim, router: &Router, letters: &[DeadLetter], which: Redrive) {
    {
        let known = &mut sim.lock().model.letters;
        known.purged.extend(letters.iter().map(|letter| letter.id));
        known.may_be_gone.extend(letters.iter().map(place));
    }
    let purged = sim.ask(router.purge_dead_letters(which)).await;
    sim.note(|| format!("purge among {}: {purged:?}", letters.len()));
}

/// Whether letters still wait for room at their targets.
pub(crate) async fn has_queued(router: &Router) -> bool {
    let choice = LetterChoice::In(LetterState::Queued);
    let filter = DeadLetterFilter { choice, limit: 1, ..DeadLetterFilter::default() };
    router.dead_letters(filter).await.is_ok_and(|page| !page.items.is_empty())
}

pub(crate) fn read(database: &Connection) -> rusqlite::Result<Letters> {
    let mut select = database.prepare(
        "SELECT id, bus, rule, target, replay, offset, state, redriven, attempts_total FROM dead_letters",
    )?;
    let rows = select.query_map([], |row| {
        let number = |column| {
            let number = row.get::<_, i64>(column);
            number.map(|number| u64::try_from(number).expect("it is not negative"))
        };
        let key = Key { bus: row.get(1)?, rule: row.get(2)?, target: row.get(3)? };
        let place = (key, row.get(4)?, number(5)?);
        let letter =
            Letter { place, state: row.get(6)?, redriven: number(7)?, attempts: number(8)? };
        Ok((row.get(0)?, letter))
    })?;
    rows.collect()
}

impl Model {
    /// Whether it may have been a letter that somebody has purged.
    pub(crate) fn is_purgeable(&self, place: &Place) -> bool {
        self.letters.may_be_gone.contains(place)
    }

    pub(crate) fn check_letters(&mut self, found: &Found, is_last: bool) {
        let mut wrong = Vec::new();
        for (id, before) in &self.letters.last {
            match found.letters.get(id) {
                None if self.letters.purged.contains(id) => (),
                Some(now)
                    if now.place == before.place
                        && before.redriven <= now.redriven
                        && before.attempts <= now.attempts => {}
                now => wrong.push(format!("dead letter {id} was {before:?} and is {now:?}")),
            }
        }
        for (id, letter) in &found.letters {
            let place = &letter.place;
            let count = self.arrived.get(place).copied().unwrap_or(0);
            let was_delivered =
                self.letters.last.get(id).is_some_and(|before| before.state == "delivered");
            let is_right = match letter.state.as_str() {
                "dead" => true,
                "queued" => !is_last,
                "redriven" => !is_last && found.postponed.contains(place),
                "moved" => self.letters.through_rules.contains(place),
                _ if place.0.target == "on" => self.has_arrived(&place.0, &place.1, place.2),
                _ => {
                    // It may have died after the director had looked, and before it was sent again.
                    let before = self.letters.before.get(place).copied().unwrap_or(0);
                    was_delivered || before < count
                }
            };
            if !is_right {
                wrong.push(format!("dead letter {id} is {letter:?}; it arrived {count} times"));
            }
        }
        self.violations.append(&mut wrong);
        self.letters.last.clone_from(&found.letters);
    }
}
