//! What stands in the journal: watched while it grows, and read from the disk between two lives.
//!
//! # Invariants that it checks
//!
//! - What was durable once stays as it is, but for the beginning of a bus that has expired.
//! - Every acknowledged event is there, or was.
//! - An event that was passed on is the one that came.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use journal::{BusReader, ChainCursor, Cursor, Journal, Offset, Record};
use slipswitch_bus::simulation::World;
use slipswitch_bus::{Clock, Router, journal};

use crate::model::Model;
use crate::rules::{BUSES, Facts};
use crate::world::{Around, Sim};

/// An event in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) bus: String,
    pub(crate) event: String,
    /// The name of the replay that passed it on.
    pub(crate) replay: Option<String>,
    pub(crate) envelope: String,
}

/// The journal as a disk holds it.
pub(crate) struct Held {
    pub(crate) records: BTreeMap<u64, Logged>,
    pub(crate) end: u64,
    pub(crate) sealed_to: u64,
    /// What was before has expired.
    pub(crate) first: BTreeMap<String, u64>,
    /// The records of the archives' chains.
    pub(crate) archives: BTreeMap<String, Vec<(u64, Logged)>>,
}

impl Logged {
    fn of(bus: &str, payload: &Bytes) -> Self {
        let envelope = slipswitch_bus::envelope(payload).expect("the router wrote it");
        let envelope = String::from_utf8_lossy(&envelope).into_owned();
        Self {
            bus: bus.to_owned(),
            event: text_at(&envelope, "id").unwrap_or("no id").to_owned(),
            replay: text_at(&envelope, "replay-name").map(str::to_owned),
            envelope,
        }
    }
}

/// A member of the envelope; those before the detail are texts.
fn text_at<'a>(envelope: &'a str, name: &str) -> Option<&'a str> {
    let before = envelope.split(r#""detail":"#).next()?;
    let rest = before.split(&format!(r#""{name}":""#)).nth(1)?;
    rest.split('"').next()
}

/// The name of the replay that a body says it is of.
pub(crate) fn replay_in(body: &str) -> Option<&str> {
    text_at(body, "replay-name")
}

/// An event without the name of its replay.
pub(crate) fn without_replay(envelope: &str) -> String {
    match text_at(envelope, "replay-name") {
        Some(name) => envelope.replacen(&format!(r#""replay-name":"{name}","#), "", 1),
        None => envelope.to_owned(),
    }
}

/// Takes in what has become durable.
pub(crate) struct Watch(Cursor);

impl Watch {
    pub(crate) fn new(sim: &Sim, router: &Router) -> Self {
        let end = sim.lock().model.log.len() as u64;
        Self(router.journal().read_from(Offset::new(end)))
    }

    pub(crate) fn look(&mut self, sim: &Sim) {
        while let Ok(Some(batch)) = self.0.next_batch() {
            let wall = sim.now().as_millis();
            let model = &mut sim.lock().model;
            for record in batch {
                let logged = Logged::of(&record.bus, &record.payload);
                model.take_in(record.offset.get(), logged, wall);
            }
        }
    }
}

impl Model {
    fn take_in(&mut self, offset: u64, logged: Logged, wall: i64) {
        if offset != self.log.len() as u64 {
            let end = self.log.len();
            self.wrong(format!("offset {offset} follows on {end} records"));
        }
        let first = self.envelopes.entry(logged.event.clone());
        let first = first.or_insert_with(|| without_replay(&logged.envelope));
        if *first != without_replay(&logged.envelope) {
            let what = format!("{} was passed on as {}", logged.event, logged.envelope);
            self.wrong(what);
        }
        if logged.replay.is_none() {
            self.note_stored(&logged.bus, &logged.event, offset, wall);
        }
        self.log.push(logged);
    }

    pub(crate) fn facts_at(&self, offset: u64) -> Option<Facts> {
        let logged = self.log.get(usize::try_from(offset).ok()?)?;
        let kind = self.sent.get(&logged.event)?.kind;
        Some(Facts { kind, is_replayed: logged.replay.is_some() })
    }

    /// Compares a disk with what was durable before, and goes on from there.
    pub(crate) fn check_held(&mut self, held: &Held, wall: i64) {
        for offset in 0..self.log.len() as u64 {
            let known = &self.log[index(offset)];
            let has_expired = held.first.get(&known.bus).is_some_and(|first| offset < *first);
            match held.records.get(&offset) {
                Some(logged) if logged == known => (),
                None if has_expired => (),
                found => {
                    let what = format!("{offset} was {known:?} and is {found:?} now");
                    self.wrong(what);
                    break;
                }
            }
        }
        for offset in self.log.len() as u64..held.end {
            match held.records.get(&offset) {
                Some(logged) => self.take_in(offset, logged.clone(), wall),
                None => return self.wrong(format!("there is no record at {offset}")),
            }
        }
        let ids: BTreeSet<&str> = self.log.iter().map(|logged| logged.event.as_str()).collect();
        let lost = self.acknowledged.iter().filter(|id| !ids.contains(id.as_str()));
        let lost: Vec<String> = lost.cloned().collect();
        let lost = self.not_given_up(lost);
        if !lost.is_empty() {
            self.wrong(format!("acknowledged and not in the journal: {}", lost.join(", ")));
        }
    }
}

impl Around {
    /// Reads a copy of the disk.
    pub(crate) fn read_disk(&self, archives: &[String]) -> Result<Held, String> {
        let options = journal::Options { inline: true, ..journal::Options::new("") };
        let disk = self.disk().copy();
        let opened = Journal::open_on(&disk.below("journal"), options);
        let (journal, _) = opened.map_err(|error| error.to_string())?;
        let mut held = Held {
            records: BTreeMap::new(),
            end: journal.durable_end().get(),
            sealed_to: journal.sealed_to().get(),
            first: BTreeMap::new(),
            archives: BTreeMap::new(),
        };
        for bus in BUSES {
            held.first.insert(bus.to_owned(), journal.first_offset(bus).get());
            for (offset, logged) in all(journal.read_bus(bus, Offset::ZERO), bus)? {
                if held.records.insert(offset, logged).is_some() {
                    return Err(format!("two records at {offset}"));
                }
            }
        }
        for name in archives {
            let Some(chain) = journal.archive(name) else { continue };
            held.archives.insert(name.clone(), all_of_chain(chain.read(Offset::ZERO))?);
        }
        Ok(held)
    }
}

fn all(mut reader: BusReader, bus: &str) -> Result<Vec<(u64, Logged)>, String> {
    let mut all = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|error| error.to_string())? {
        let logged = |one: Record| (one.offset.get(), Logged::of(bus, &one.payload));
        all.extend(batch.into_iter().map(logged));
    }
    Ok(all)
}

fn all_of_chain(mut cursor: ChainCursor) -> Result<Vec<(u64, Logged)>, String> {
    let mut all = Vec::new();
    while let Some(batch) = cursor.next_batch().map_err(|error| error.to_string())? {
        all.extend(batch.into_iter().map(|one| (one.offset.get(), Logged::of("", &one.payload))));
    }
    Ok(all)
}

pub(crate) fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("logs are short")
}
