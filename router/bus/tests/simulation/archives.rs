//! Archives: what somebody asked for, and what the disk holds of it.
//!
//! # Invariants that it checks
//!
//! - What was answered stands: an archive that was made is there, one that was removed is not.
//! - An archive holds what matches it and came after it was made, each once and as it is in the
//!   journal; nothing that is replayed.

use std::collections::BTreeMap;

use rusqlite::Connection;
use slipswitch_bus::{NewArchive, Router, Selection};

use crate::journal::Held;
use crate::model::Model;
use crate::rules::{BUSES, KINDS};
use crate::world::Sim;

const NAMES: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) bus: String,
    /// None: all.
    pub(crate) kinds: Option<Vec<&'static str>>,
    /// Where it begins, once that is known.
    pub(crate) from: Option<u64>,
    /// It may not be there: somebody asked for it, or for its end, and was not answered.
    pub(crate) is_open: bool,
}

/// What the database knows of archives: bus and beginning by name.
pub(crate) type Rows = BTreeMap<String, (String, u64)>;

pub(crate) fn pattern(kinds: &[&str]) -> Selection {
    let kinds = kinds.join("\",\"");
    Selection::parse(&format!(r#"{{"detail":{{"kind":["{kinds}"]}}}}"#)).expect("it is a pattern")
}

/// Makes one, or removes the one of that name.
pub(crate) async fn change(sim: &Sim, router: &Router) {
    let name = NAMES[sim.lock().random.index(NAMES.len())];
    if sim.lock().model.archives.contains_key(name) {
        remove(sim, router, name).await;
    } else {
        make(sim, router, name).await;
    }
}

async fn make(sim: &Sim, router: &Router, name: &str) {
    let (archive, new) = {
        let mut state = sim.lock();
        let bus = BUSES[usize::from(state.random.chance(40))].to_owned();
        let some = KINDS.into_iter().filter(|_| state.random.chance(50)).collect::<Vec<_>>();
        let kinds = (!some.is_empty()).then_some(some);
        let new = NewArchive {
            name: name.to_owned(),
            bus: bus.clone(),
            pattern: kinds.as_deref().map(pattern),
            ..NewArchive::default()
        };
        let archive = Archive { bus, kinds, from: None, is_open: true };
        state.model.archives.insert(name.to_owned(), archive.clone());
        (archive, new)
    };
    let before = router.journal().durable_end().get();
    let Some(made) = sim.ask(router.create_archive(new)).await else { return };
    let after = router.journal().durable_end().get();
    let mut state = sim.lock();
    state.note(|| format!("archive {name} of {archive:?}: {made:?}"));
    match made {
        Ok(made) => {
            let from = made.from_offset.get();
            if !(before..=after).contains(&from) {
                let what = format!("archive {name} begins at {from}, not in {before}..={after}");
                state.model.wrong(what);
            }
            let made = Archive { from: Some(from), is_open: false, ..archive };
            state.model.archives.insert(name.to_owned(), made);
        }
        Err(_) => drop(state.model.archives.remove(name)),
    }
}

async fn remove(sim: &Sim, router: &Router, name: &str) {
    let before = sim.lock().model.archives.get(name).cloned().expect("it was just there");
    let open = Archive { is_open: true, ..before.clone() };
    sim.lock().model.archives.insert(name.to_owned(), open);
    let Some(removed) = sim.ask(router.remove_archive(name)).await else { return };
    let mut state = sim.lock();
    state.note(|| format!("archive {name} is removed: {removed:?}"));
    let is_there = router.archives().iter().any(|archive| *archive.name == *name);
    if is_there {
        state.model.archives.insert(name.to_owned(), before);
    } else {
        state.model.archives.remove(name);
    }
}

pub(crate) fn read(database: &Connection) -> rusqlite::Result<Rows> {
    let mut select =
        database.prepare("SELECT name, bus, from_offset FROM archives WHERE removing IS NULL")?;
    let rows = select.query_map([], |row| {
        let from = u64::try_from(row.get::<_, i64>(2)?).expect("it is an offset");
        Ok((row.get(0)?, (row.get(1)?, from)))
    })?;
    rows.collect()
}

impl Archive {
    pub(crate) fn holds(&self, model: &Model, offset: u64) -> bool {
        let Some(facts) = model.facts_at(offset) else { return false };
        model.log[crate::journal::index(offset)].bus == self.bus
            && self.from.is_some_and(|from| from <= offset)
            && !facts.is_replayed
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&facts.kind))
    }
}

impl Model {
    /// What was asked for and not answered is known now.
    pub(crate) fn check_archives(&mut self, rows: &Rows, held: &Held) {
        let mut wrong = Vec::new();
        for name in rows.keys().filter(|name| !self.archives.contains_key(*name)) {
            wrong.push(format!("archive {name} is there, and nobody asked for it"));
        }
        for (name, archive) in &mut self.archives {
            match (rows.get(name), archive.from) {
                (Some((_, from)), None) => archive.from = Some(*from),
                (Some((bus, from)), Some(known)) if (bus, *from) == (&archive.bus, known) => (),
                (None, _) if archive.is_open => (),
                (row, _) => wrong.push(format!("archive {name} of {archive:?} is {row:?}")),
            }
            archive.is_open = false;
        }
        self.archives.retain(|name, _| rows.contains_key(name));
        for (name, archive) in &self.archives {
            wrong.extend(self.difference(name, archive, held));
        }
        self.violations.append(&mut wrong);
    }

    fn difference(&self, name: &str, archive: &Archive, held: &Held) -> Option<String> {
        let none = Vec::new();
        let found = held.archives.get(name).unwrap_or(&none);
        let offsets: Vec<u64> = found.iter().map(|(offset, _)| *offset).collect();
        let all = 0..self.log.len() as u64;
        let wanted: Vec<u64> = all.filter(|offset| archive.holds(self, *offset)).collect();
        // Its chain may be ahead of what counts as sealed.
        let must: Vec<u64> = wanted.iter().copied().filter(|at| *at < held.sealed_to).collect();
        let is_right = wanted.starts_with(&offsets) && must.len() <= offsets.len();
        if !is_right {
            let sealed_to = held.sealed_to;
            return Some(format!(
                "archive {name} of {archive:?} holds {offsets:?} and not {must:?}, sealed up to {sealed_to}"
            ));
        }
        let other = found.iter().find(|(offset, logged)| {
            logged.envelope != self.log[crate::journal::index(*offset)].envelope
        });
        other.map(|(offset, logged)| format!("archive {name} has {logged:?} at {offset}"))
    }
}
