//! Replays: what somebody asked for, and what became of it.
//!
//! # Invariants that it checks
//!
//! - What was answered stands: a replay that was started is there, one that was cancelled stays so.
//! - A replay that is completed has sent all of its span that its rules want, as the first run has:
//!   each event has arrived under its name, or is a dead letter of it.
//! - One fails only when a rule of it was not there.

use std::collections::BTreeMap;

use event::Timestamp;
use rusqlite::Connection;
use slipswitch_bus::{ReplayError, Router, StartReplay};

use crate::archives::{Archive, pattern};
use crate::claims::Found;
use crate::journal::index;
use crate::model::{Key, Model};
use crate::rules::{BUSES, Facts, Generation, KINDS};
use crate::world::Sim;

/// A replay that somebody started.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    pub(crate) bus: String,
    pub(crate) span: std::ops::Range<u64>,
    /// Before, the journal had nothing of the bus any more.
    pub(crate) begin: u64,
    pub(crate) archive: Option<Archive>,
    pub(crate) kinds: Option<Vec<&'static str>>,
    /// Its subscriptions.
    pub(crate) keys: Vec<Key>,
    /// All rules that it may have met.
    pub(crate) versions: Vec<Generation>,
    /// Nobody was told that it has started.
    pub(crate) is_open: bool,
    /// What somebody was told of it last, and whether more was asked since.
    pub(crate) is_cancelled: bool,
    pub(crate) may_be_cancelled: bool,
}

/// What the database knows of a replay.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    state: String,
    span: std::ops::Range<u64>,
}

pub(crate) type Rows = BTreeMap<String, Row>;

pub(crate) async fn start(sim: &Sim, router: &Router) {
    let (name, start, replay) = plan(sim, router);
    // Known before it starts: its first delivery may come before the answer.
    sim.lock().model.replays.insert(name.clone(), replay.clone());
    let Some(started) = sim.ask(router.start_replay(start)).await else { return };
    let mut state = sim.lock();
    state.note(|| {
        let said = started.as_ref().map(|one| (one.from_offset, one.to_offset));
        format!("replay {name} of {:?}: {said:?}", (&replay.archive, &replay.kinds, &replay.keys))
    });
    match started {
        Ok(started) => {
            let replay = state.model.replays.get_mut(&name).expect("it was just put there");
            replay.span = started.from_offset.get()..started.to_offset.get();
            replay.is_open = false;
        }
        Err(_) => drop(state.model.replays.remove(&name)),
    }
}

fn plan(sim: &Sim, router: &Router) -> (String, StartReplay, Replay) {
    let mut guard = sim.lock();
    let state = &mut *guard;
    let (random, model) = (&mut state.random, &mut state.model);
    model.replays_begun += 1;
    let name = format!("again-{}", model.replays_begun);
    let of_archive = model.archives.iter().find(|(_, one)| one.from.is_some() && random.chance(50));
    let of_archive = of_archive.map(|(name, archive)| (name.clone(), archive.clone()));
    let bus = match &of_archive {
        Some((_, archive)) => archive.bus.clone(),
        None => BUSES[usize::from(random.chance(30))].to_owned(),
    };
    let kinds = random.chance(30).then(|| vec![KINDS[random.index(KINDS.len())]]);
    let versions: Vec<Generation> =
        model.versions.last().map(|version| version.rules.clone()).into_iter().collect();
    let mut keys: Vec<Key> = versions.iter().flat_map(Key::all).collect();
    keys.retain(|key| key.bus == bus);
    let mut chosen = Vec::new();
    if random.chance(40) && !keys.is_empty() {
        let rule = keys[random.index(keys.len())].rule.clone();
        keys.retain(|key| key.rule == rule);
        chosen.push(rule);
    }
    let start = StartReplay {
        name: Some(name.clone()),
        archive: of_archive.as_ref().map(|(name, _)| name.clone()),
        rules: chosen,
        pattern: kinds.as_deref().map(pattern),
        rate: random.chance(20).then_some(40.0),
        concurrency: if random.chance(30) { 3 } else { 1 },
        ..StartReplay::new(bus.clone(), Timestamp::from_millis(0))
    };
    let begin = match &of_archive {
        Some(_) => 0,
        None => router.journal().first_offset(&bus).get(),
    };
    let replay = Replay {
        begin,
        bus,
        span: 0..u64::MAX,
        archive: of_archive.map(|(_, archive)| archive),
        kinds,
        keys,
        versions,
        is_open: true,
        is_cancelled: false,
        may_be_cancelled: false,
    };
    (name, start, replay)
}

/// Pauses, resumes or cancels one.
pub(crate) async fn steer(sim: &Sim, router: &Router) {
    let (name, what) = {
        let mut state = sim.lock();
        let names: Vec<String> = state.model.replays.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        (names[state.random.index(names.len())].clone(), state.random.below(5))
    };
    if what == 4 {
        let mut state = sim.lock();
        state.model.replays.get_mut(&name).expect("none goes").may_be_cancelled = true;
    }
    let steered = match what {
        0 | 1 => sim.ask(router.pause_replay(&name)).await,
        2 | 3 => sim.ask(router.resume_replay(&name)).await,
        _ => sim.ask(router.cancel_replay(&name)).await,
    };
    let Some(steered) = steered else { return };
    let mut state = sim.lock();
    let said = steered.as_ref().map(|replay| replay.state);
    state.note(|| format!("replay {name} is steered, {what}: {said:?}"));
    if what == 4 && steered.is_ok() {
        state.model.replays.get_mut(&name).expect("none goes").is_cancelled = true;
    }
}

/// Lets all go on.
pub(crate) async fn resume_all(sim: &Sim, router: &Router) {
    let names: Vec<String> = sim.lock().model.replays.keys().cloned().collect();
    for name in names {
        match router.resume_replay(&name).await {
            Ok(_) | Err(ReplayError::NotNow { .. }) => (),
            Err(error) => sim.note(|| format!("replay {name} is not resumed: {error}")),
        }
    }
}

pub(crate) fn read(database: &Connection) -> rusqlite::Result<Rows> {
    let mut select = database.prepare("SELECT name, state, from_offset, to_offset FROM replays")?;
    let rows = select.query_map([], |row| {
        let offset = |column| {
            let number = row.get::<_, i64>(column);
            number.map(|number| u64::try_from(number).expect("it is an offset"))
        };
        Ok((row.get(0)?, Row { state: row.get(1)?, span: offset(2)?..offset(3)? }))
    })?;
    rows.collect()
}

impl Found {
    pub(crate) fn has_failed(&self, replay: &str) -> bool {
        self.replays.get(replay).is_some_and(|row| row.state == "failed")
    }
}

impl Model {
    /// Whether a replay is to look at an offset.
    pub(crate) fn is_in(&self, replay: &Replay, offset: u64) -> bool {
        let Some(facts) = self.facts_at(offset) else { return false };
        replay.span.contains(&offset)
            && self.log[index(offset)].bus == replay.bus
            && replay.kinds.as_ref().is_none_or(|kinds| kinds.contains(&facts.kind))
            && replay.archive.as_ref().is_none_or(|archive| archive.holds(self, offset))
    }

    /// What was asked for and not answered is known now. At the very end none may be under way.
    pub(crate) fn check_replays(&mut self, found: &Found, is_last: bool) {
        let rows = &found.replays;
        // Without any rules it waits for them.
        let has_no_rules = self.versions.last().is_some_and(|version| version.rules.is_empty());
        let may_run = !is_last || has_no_rules;
        let mut wrong = Vec::new();
        for name in rows.keys().filter(|name| !self.replays.contains_key(*name)) {
            wrong.push(format!("replay {name} is there, and nobody asked for it"));
        }
        for (name, replay) in &mut self.replays {
            match rows.get(name) {
                Some(row) if replay.is_open => replay.span = row.span.clone(),
                Some(row) if row.span == replay.span => (),
                None if replay.is_open => (),
                row => wrong.push(format!("replay {name} of {:?} is {row:?}", replay.span)),
            }
            replay.is_open = false;
        }
        self.replays.retain(|name, _| rows.contains_key(name));
        for (name, replay) in &self.replays {
            let state = rows[name].state.as_str();
            let is_right = match state {
                "cancelled" => replay.may_be_cancelled,
                "failed" => replay
                    .versions
                    .iter()
                    .any(|rules| replay.keys.iter().any(|key| !Self::has(rules, key))),
                "completed" => !replay.is_cancelled,
                _ => may_run && !replay.is_cancelled,
            };
            if !is_right {
                wrong.push(format!("replay {name} is {state}: {replay:?}"));
            }
            if state == "completed" {
                wrong.extend(self.missed_by(name, replay, found));
            }
        }
        self.violations.append(&mut wrong);
    }

    fn missed_by(&self, name: &str, replay: &Replay, found: &Found) -> Option<String> {
        let end = replay.span.end.min(self.log.len() as u64);
        for key in &replay.keys {
            for offset in replay.span.start.max(replay.begin)..end {
                let Some(facts) = self.facts_at(offset) else { continue };
                let facts = Facts { is_replayed: true, ..facts };
                let is_wanted = self.is_in(replay, offset)
                    && replay.versions.iter().all(|rules| Self::wants(rules, key, facts));
                let place = (key.clone(), name.to_owned(), offset);
                let is_done = self.has_arrived(key, name, offset)
                    || found.dead.contains(&place)
                    || self.is_purgeable(&place);
                if is_wanted && !is_done {
                    let event = &self.log[index(offset)].event;
                    return Some(format!(
                        "replay {name} is completed, and {key:?} has not got {offset} ({event})"
                    ));
                }
            }
        }
        None
    }
}
