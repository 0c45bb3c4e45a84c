//! The lane's own reader: one batch of the journal at a time, with the lane's own rule.
//!
//! # Invariants
//!
//! - **one version**: what is read meets the version of the rule that ran when it came.
//! - A place in the journal that cannot be read is said and tried again; only what is damaged for
//!   good, in a sealed segment, is passed over.

use std::sync::{Arc, PoisonError};

use event::Timestamp;
use journal::{BusReader, Offset, ReadError, Reading, Record};

use super::versions::Versions;
use super::{Lane, Owed};
use crate::core::Core;
use crate::key::Key;
use crate::record;
use crate::replay::{Past, Playing};
use crate::selection::Asking;

/// What became of one reading.
pub(super) enum Read {
    Done,
    /// The journal cannot be read here.
    Failed,
    /// The dispatcher has not been here yet.
    Early,
}

/// A place in the journal, for one lane.
pub(super) struct Reader {
    place: Place,
    /// The versions that its filter was made of.
    changes: u64,
    /// What was counted already.
    counted: Reading,
}

enum Place {
    Live(BusReader),
    Replay(Box<Past>, Arc<Playing>),
}

impl Reader {
    fn open(core: &Core, (key, versions): (&Key, &Versions), from: Offset) -> Self {
        let filter = versions.filter();
        let place = match key.replay.as_ref().and_then(|name| core.players.get(name)) {
            Some(playing) => {
                let past = playing.source.read(&core.journal, from, versions.only());
                Place::Replay(Box::new(past), playing)
            }
            None => {
                let reader = core.journal.read_bus(&key.bus, from).skip_damaged();
                Place::Live(match filter {
                    Some(filter) => reader.skipping(filter),
                    None => reader,
                })
            }
        };
        Self { place, changes: versions.changes(), counted: Reading::default() }
    }

    /// Blocks read and passed over since it was asked last.
    fn blocks(&mut self) -> (u64, u64) {
        let now = match &self.place {
            Place::Live(reader) => reader.reading(),
            Place::Replay(past, _) => past.reading(),
        };
        let before = std::mem::replace(&mut self.counted, now);
        let more = |now: u64, before: u64| now.saturating_sub(before);
        (more(now.blocks_read, before.blocks_read), more(now.blocks_skipped, before.blocks_skipped))
    }

    fn position(&self) -> Offset {
        match &self.place {
            Place::Live(reader) => reader.position(),
            Place::Replay(past, _) => past.position(),
        }
    }

    fn next_batch(&mut self) -> Result<Vec<Record>, ReadError> {
        let batch = match &mut self.place {
            Place::Live(reader) => reader.next_batch()?,
            Place::Replay(past, _) => past.next_batch()?,
        };
        Ok(batch.unwrap_or_default())
    }

    /// Whether a replay is to send this event, as it shows it.
    fn wants(&self, event: &[u8], asking: &mut Asking) -> bool {
        match &self.place {
            Place::Live(_) => true,
            Place::Replay(_, playing) => playing.source.wants(event, asking),
        }
    }
}

/// Reads one batch, and gives it to the lane.
pub(super) async fn read(core: &Arc<Core>, lane: &Arc<Lane>) -> Read {
    let mut kept = lane.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
    // one version: first the place, then the versions. A swap that comes later is beyond the place.
    let dispatched = core.dispatched();
    let (from, versions, end) = {
        let inner = lane.lock();
        let Some(from) = inner.reads_from() else { return Read::Done };
        let end = inner.until().map_or(dispatched, |until| until.min(dispatched));
        (from, inner.versions(), end)
    };
    if end <= from {
        // Nothing to read, but perhaps the lane can go live here.
        lane.lock().caught_up(Vec::new(), (from, from));
        return if lane.lock().reads_from().is_some() { Read::Early } else { Read::Done };
    }
    let mut reader = match kept.take() {
        Some(reader) if reader.position() == from && reader.changes == versions.changes() => reader,
        Some(_) | None => Reader::open(core, (&lane.key, &versions), from),
    };
    let key = lane.key.clone();
    let read = core.outside.blocking(move || {
        let found = read_batch(&mut reader, &key, &versions, end);
        (reader, found)
    });
    let (mut reader, found) = read.await;
    let (blocks_read, blocks_skipped) = reader.blocks();
    {
        let blocks = &mut lane.lock().blocks;
        *blocks = (blocks.0 + blocks_read, blocks.1 + blocks_skipped);
    }
    match found {
        Ok((found, to)) => {
            let mut inner = lane.lock();
            inner.caught_up(found, (from, to));
            // Its buffers are worth keeping only for one that goes on at once.
            if inner.reads_from() == Some(reader.position()) {
                *lane.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
            }
            Read::Done
        }
        Err(reason) => {
            tracing::error!(subscription = %lane.key, offset = from.get(), %reason, "the journal cannot be read here");
            lane.lock().last_error = Some(reason);
            Read::Failed
        }
    }
}

/// The matched events of one batch, and how far it reached: never beyond `end`.
fn read_batch(
    reader: &mut Reader,
    key: &Key,
    versions: &Versions,
    end: Offset,
) -> Result<(Vec<Owed>, Offset), String> {
    let from = reader.position();
    let batch = match reader.next_batch() {
        // What is damaged among the sealed events is said once, and the rest is served.
        Err(error @ ReadError::Damaged { .. }) if from < reader.position() => {
            tracing::debug!(subscription = %key, %error, "events are passed over");
            Vec::new()
        }
        batch => batch.map_err(|error| error.to_string())?,
    };
    let read_to = end.min(reader.position());
    let mut scratch = ruleset::Scratch::default();
    let mut asking = Asking::default();
    let mut found = Vec::new();
    for entry in batch {
        if end <= entry.offset {
            break;
        }
        let Some(version) = versions.at(entry.offset) else { continue };
        let (event, hops) = record::decode(&entry.payload).map_err(|error| error.to_string())?;
        let event = match &key.replay {
            Some(name) => event.replayed(name),
            None => event,
        };
        let is_wanted = reader.wants(event.bytes(), &mut asking);
        if is_wanted && version.matches(event.bytes(), (&mut scratch, &mut asking)) {
            let (offset, ingested) = (entry.offset, Timestamp::from_millis(entry.time));
            let route = Arc::clone(&version.route);
            found.push(Owed { offset, event, hops, ingested, route, order: None });
        }
    }
    Ok((found, read_to))
}
