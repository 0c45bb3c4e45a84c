//! Following a bus, or all of them, as events become durable: what `slipswitch tail` and whoever else watches reads.
//!
//! # Invariants
//!
//! - **durable**: an event is shown after it is on disk, never before.
//! - Each event behind the first place is shown once, in the order of the journal; when some have expired unseen, that
//!   is said, and nothing follows.
//! - **bounded**: a follower is a place in the journal and no queue. Who reads slowly is behind, and costs nobody else
//!   anything: not ingestion, not dispatch, not another follower.
//!
//! # Not here
//!
//! - How an event is written down for its reader, and when a reader has gone: the server knows its connections.

mod place;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event::Timestamp;
use journal::{Offset, ReadError, Record};

use crate::core::Core;
use crate::ingest::IngestError;
use crate::record;
use crate::router::Router;
use crate::selection::{Asking, Selection};
use place::Place;

/// Bytes of events that are shown at once, or a little more.
const SHOWN_BYTES_MAX: usize = 256 << 10;
/// Bytes that are looked at at once when a pattern wants few of them, or a little more.
const LOOKED_AT_BYTES_MAX: usize = 4 << 20;
/// From the wake-up to the look: under load one look finds the events of many groups.
const GATHER: Duration = Duration::from_millis(5);
/// Until the next look into a journal that has stopped.
const REST: Duration = Duration::from_secs(1);

/// What to follow.
#[derive(Debug, Clone)]
pub struct Follow {
    /// None: all buses.
    pub bus: Option<String>,
    pub begin: Begin,
    pub pattern: Option<Selection>,
    /// Whether to say which rules match.
    pub names_rules: bool,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With what comes.
    Now,
    /// With the first event that is kept.
    First,
    /// With the first event taken in at this time or later.
    Since(Timestamp),
    /// Behind this offset: going on.
    After(u64),
}

/// Why nothing is followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Bus(#[from] IngestError),

    #[error("the journal cannot be read: {0}")]
    Journal(#[from] ReadError),

    #[error(
        "offset {after} is not in this journal, whose next one is {end}: it was another journal's; begin without it"
    )]
    Ahead { after: u64, end: u64 },
}

/// Why nothing more is shown.
#[derive(Debug, thiserror::Error)]
pub enum FollowEnd {
    /// Up to `first`, events of the bus have expired that were not shown yet.
    #[error(
        "events from offset {from} on have expired before they were read; the first that is kept is {first}"
    )]
    Expired { from: u64, first: u64 },

    #[error("the journal cannot be read at offset {offset}: {reason}")]
    Unreadable { offset: u64, reason: String },
}

/// An event as the journal has it.
#[derive(Debug, Clone)]
pub struct Followed {
    pub offset: u64,
    pub bus: Arc<str>,
    pub taken_at: Timestamp,
    /// The envelope: one JSON text.
    pub event: Bytes,
    /// The rules that run now and match; none when nobody asked for them.
    pub matched: Option<Vec<MatchedRule>>,
}

/// A rule and the ids of its targets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MatchedRule {
    pub rule: String,
    pub targets: Vec<String>,
}

/// A place in the journal that moves with its reader.
pub struct Follower {
    core: Arc<Core>,
    follow: Arc<Follow>,
    /// What of each bus had expired when this began, and was not asked for.
    floors: BTreeMap<String, Offset>,
    position: Offset,
    /// None only while it reads.
    reader: Option<Reader>,
}

/// What reading takes.
struct Reader {
    place: Place,
    asking: Asking,
    scratch: ruleset::Scratch,
}

impl Router {
    /// Begins to follow.
    ///
    /// # Errors
    ///
    /// When there is no such bus or place, or the journal cannot be read.
    pub async fn follow(&self, follow: Follow) -> Result<Follower, FollowError> {
        let core = &self.core;
        if let Some(bus) = &follow.bus {
            core.know(bus)?;
        }
        let end = core.journal.durable_end();
        let position = match follow.begin {
            Begin::Now => end,
            Begin::First => Offset::new(0),
            Begin::Since(time) => Offset::new(core.span_between(Some(time), None).await?.from),
            Begin::After(after) if end.get() <= after => {
                return Err(FollowError::Ahead { after, end: end.get() });
            }
            Begin::After(after) => Offset::new(after + 1),
        };
        let floors = match follow.begin {
            Begin::After(_) => BTreeMap::new(),
            Begin::Now | Begin::First | Begin::Since(_) => core.expired(follow.bus.as_deref()),
        };
        let place = Place::open(core, &follow, position);
        let reader =
            Reader { place, asking: Asking::default(), scratch: ruleset::Scratch::default() };
        let (core, follow) = (Arc::clone(core), Arc::new(follow));
        Ok(Follower { core, follow, floors, position, reader: Some(reader) })
    }
}

impl Core {
    /// The buses of which something has expired, and up to where.
    fn expired(&self, bus: Option<&str>) -> BTreeMap<String, Offset> {
        let names = match bus {
            Some(bus) => vec![bus.to_owned()],
            None => self.journal.sealed_buses().into_iter().map(|(bus, _)| bus).collect(),
        };
        let to = names.into_iter().map(|bus| (self.journal.expired_to(&bus), bus));
        to.filter(|(to, _)| 0 < to.get()).map(|(to, bus)| (bus, to)).collect()
    }
}

impl Follower {
    /// Every event below this offset was shown, or not wanted.
    pub fn position(&self) -> u64 {
        self.position.get()
    }

    /// The next events; `None` when there are none yet. Empty when it only came further.
    ///
    /// # Errors
    ///
    /// When events have expired before they were shown, or cannot be read. Nothing follows then.
    pub async fn take(&mut self) -> Result<Option<Vec<Followed>>, FollowEnd> {
        let from = self.position;
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let (core, follow) = (Arc::clone(&self.core), Arc::clone(&self.follow));
        let reading = self.core.outside.blocking(move || {
            let found = reader.read(&core, &follow);
            (reader, found)
        });
        let (reader, found) = reading.await;
        // Asked after the reading: what went meanwhile may be missing.
        self.check_expiry(from)?;
        self.position = reader.place.position();
        self.reader = Some(reader);
        found.map_err(|error| FollowEnd::Unreadable {
            offset: from.get(),
            reason: error.to_string(),
        })
    }

    /// Returns when there may be more to take.
    pub async fn wait(&self) {
        self.core.journal.wait_past(self.position).await;
        // A journal that has stopped wakes its waiters with nothing new.
        let has_more = self.position < self.core.journal.durable_end();
        tokio::time::sleep(if has_more { GATHER } else { REST }).await;
    }

    fn check_expiry(&self, from: Offset) -> Result<(), FollowEnd> {
        if self.core.journal.sealed_to() <= from {
            return Ok(());
        }
        let expired = self.core.expired(self.follow.bus.as_deref());
        let unseen = |(bus, to): &(String, Offset)| {
            let floor = self.floors.get(bus).copied().unwrap_or(Offset::new(0));
            from < *to && floor < *to
        };
        match expired.into_iter().filter(unseen).map(|(_, to)| to).max() {
            Some(first) => Err(FollowEnd::Expired { from: from.get(), first: first.get() }),
            None => Ok(()),
        }
    }
}

impl Reader {
    fn read(&mut self, core: &Core, follow: &Follow) -> Result<Option<Vec<Followed>>, ReadError> {
        let (mut found, mut shown, mut looked_at) = (Vec::new(), 0, 0);
        let mut has_moved = false;
        while shown < SHOWN_BYTES_MAX && looked_at < LOOKED_AT_BYTES_MAX {
            let batch = match self.place.next_batch() {
                Ok(batch) => batch,
                // What was read before is shown first; the next reading says it again.
                Err(_) if has_moved => break,
                Err(error) => return Err(error),
            };
            let Some(batch) = batch else { break };
            has_moved = true;
            for record in &batch {
                looked_at += record.payload.len();
                if let Some(one) = self.followed(core, follow, record) {
                    shown += one.event.len();
                    found.push(one);
                }
            }
        }
        Ok(has_moved.then_some(found))
    }

    /// The event, if it is wanted.
    fn followed(&mut self, core: &Core, follow: &Follow, record: &Record) -> Option<Followed> {
        let (envelope, _hops) = record::split(&record.payload).ok()?;
        if let Some(pattern) = &follow.pattern
            && !pattern.matches(&envelope, &mut self.asking)
        {
            return None;
        }
        let matched = follow.names_rules.then(|| self.matched(core, record, &envelope));
        Some(Followed {
            offset: record.offset.get(),
            bus: Arc::clone(&record.bus),
            taken_at: Timestamp::from_millis(record.time),
            event: envelope,
            matched,
        })
    }

    fn matched(&mut self, core: &Core, record: &Record, envelope: &[u8]) -> Vec<MatchedRule> {
        let routes = core.routes.load();
        let Some(on_bus) = routes.rules.on(&record.bus) else { return Vec::new() };
        let matched = on_bus.matches(envelope, &mut self.scratch).unwrap_or_default();
        let named = matched.iter().map(|rule| MatchedRule {
            rule: rule.name.clone(),
            targets: rule.targets.iter().map(|target| target.id.clone()).collect(),
        });
        named.collect()
    }
}
