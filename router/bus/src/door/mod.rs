//! Deduplication at the door: an event that is sent again is answered with the id of the first.
//!
//! ```text
//! claim every key ─▶ append what is ours ─▶ say where it is ─▶ wait for the others' ─▶ claim again …
//! ```
//!
//! A key is the sender's (`Idempotency-Key`, `idempotency-key`), or, on a bus that was told so, the
//! pair of source and id. It stands in the journal's record, so what is known after a restart is what
//! the journal holds: the window is read back when the first key comes.
//!
//! # Invariants
//!
//! - **durable**: a repeat is answered only when the first is synced.
//! - Nobody waits while he has a key that others may wait for: there is no deadlock.
//! - A request with keys is carried out to its end, also when its sender has gone: what became of a key
//!   is never open while the router runs.
//! - What is sent under a known key with other content is refused, not dropped.
//!
//! # Not here
//!
//! - Events that no key comes with: they pass by in `ingest`.

mod rebuild;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event::{Entry, Event, IdempotencyKey, Timestamp};
use tokio::sync::OnceCell;

use crate::core::Core;
use crate::ingest::{APPEND_BYTES, IngestError, Progress, Refusal, Taken};
use crate::record;
use window::{Bounds, Claim, First, Hold, Print, Window};

/// How events that are sent again are told from others.
#[derive(Debug, Clone)]
pub struct Deduplication {
    /// How long a key is remembered.
    pub window: Duration,
    /// Keys that are remembered at most, the oldest are forgotten first. One takes about 130 bytes.
    pub keys_max: usize,
    /// Buses on which events without a key have their source and id as one.
    pub by_source_and_id: BTreeSet<String>,
}

impl Default for Deduplication {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(300),
            keys_max: 1_000_000,
            by_source_and_id: BTreeSet::new(),
        }
    }
}

/// What a router knows of keys.
pub(crate) struct Door {
    window: Arc<Window>,
    /// The window holds what the journal held before.
    rebuilt: OnceCell<()>,
}

/// Keys at the door.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct DeduplicationStatus {
    /// Keys that are remembered now.
    pub keys: usize,
    /// Keys that had to be forgotten before their time.
    pub forgotten_early: u64,
}

impl Door {
    pub(crate) fn new(options: &Deduplication) -> Self {
        let bounds = Bounds { window: options.window, keys_max: options.keys_max.max(1) };
        Self { window: Window::new(bounds), rebuilt: OnceCell::new() }
    }

    pub(crate) fn status(&self) -> DeduplicationStatus {
        let (keys, forgotten_early) = self.window.counts();
        DeduplicationStatus { keys, forgotten_early }
    }
}

/// An event on its way in.
struct Visitor {
    index: usize,
    event: Event,
    key: Option<IdempotencyKey>,
    print: Option<Print>,
}

/// What goes into the journal together.
#[derive(Default)]
struct Group {
    payloads: Vec<Bytes>,
    bytes: usize,
    members: Vec<Member>,
}

struct Member {
    index: usize,
    id: String,
    /// What is said of its key once it is stored.
    known: Option<(Hold, First)>,
}

/// The entries of one request that may have keys, and what becomes of them.
pub(crate) struct Visit {
    pub core: Arc<Core>,
    pub bus: String,
    pub now: Timestamp,
    /// Each with its id.
    pub entries: Vec<(Bytes, String)>,
    /// The key of the whole request.
    pub key: Option<IdempotencyKey>,
    /// How much of the whole request is done.
    pub progress: Progress,
}

pub(crate) type Outcomes = Vec<Result<Taken, Refusal>>;

impl Visit {
    /// Takes the entries in, each once.
    pub(crate) async fn run(mut self) -> Result<Outcomes, IngestError> {
        let core = Arc::clone(&self.core);
        core.door.rebuilt.get_or_init(|| rebuild::window(&core, self.now)).await;
        let mut outcomes: Vec<Option<Result<Taken, Refusal>>> = Vec::new();
        outcomes.resize_with(self.entries.len(), || None);
        let mut coming = Vec::new();
        let entries = std::mem::take(&mut self.entries);
        let count = entries.len();
        for (index, (entry, id)) in entries.into_iter().enumerate() {
            match self.read(&entry, &id, (index, count)) {
                Ok(visitor) => coming.push(visitor),
                Err(refusal) => outcomes[index] = Some(Err(refusal)),
            }
        }
        while !coming.is_empty() {
            coming = match self.round(coming, &mut outcomes).await {
                Ok(waited) => waited,
                Err(error) => return Err(self.partly(error, &outcomes)),
            };
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.expect("each has come to an end")).collect())
    }

    fn read(
        &self,
        entry: &[u8],
        id: &str,
        (index, count): (usize, usize),
    ) -> Result<Visitor, Refusal> {
        let Entry { event, key, has_own_id } = self.core.entry(entry, id, self.now)?;
        let key = match (key, &self.key) {
            (Some(own), _) => Some(own),
            (None, Some(key)) if count == 1 => Some(key.clone()),
            (None, Some(key)) => Some(key.of_event(index).map_err(event::EntryError::from)?),
            (None, None) => None,
        };
        let by_pair = has_own_id && self.core.deduplicates(&self.bus);
        let print = match &key {
            Some(key) => Some(Print::of_key(&self.bus, key.as_str().as_bytes())),
            None if by_pair => Some(Print::of_source_and_id(&self.bus, event.source(), event.id())),
            None => None,
        };
        Ok(Visitor { index, event, key, print })
    }

    /// Sends in whoever can go; returns those who had to wait for others and may now ask again.
    async fn round(
        &mut self,
        coming: Vec<Visitor>,
        outcomes: &mut [Option<Result<Taken, Refusal>>],
    ) -> Result<Vec<Visitor>, IngestError> {
        let mut group = Group::default();
        let mut waiting = Vec::new();
        for visitor in coming {
            let claim = visitor.print.map(|print| self.core.door.window.claim(print, self.now));
            match claim {
                Some(Claim::Stored(first)) => {
                    outcomes[visitor.index] = Some(repeat(&first, &visitor));
                    continue;
                }
                Some(Claim::Taken(over)) => {
                    waiting.push((visitor, over));
                    continue;
                }
                Some(Claim::Yours(hold)) => group.push(&visitor, Some(hold)),
                None => group.push(&visitor, None),
            }
            if APPEND_BYTES <= group.bytes {
                self.append(std::mem::take(&mut group), outcomes).await?;
            }
        }
        self.append(group, outcomes).await?;
        let mut again = Vec::with_capacity(waiting.len());
        for (visitor, over) in waiting {
            over.cancelled().await;
            again.push(visitor);
        }
        Ok(again)
    }

    async fn append(
        &mut self,
        group: Group,
        outcomes: &mut [Option<Result<Taken, Refusal>>],
    ) -> Result<(), IngestError> {
        let is_keyed = group.members.iter().any(|member| member.known.is_some());
        self.progress.append(&self.core, &self.bus, group.payloads, is_keyed).await?;
        for Member { index, id, known } in group.members {
            if let Some((hold, first)) = known {
                hold.stored(first, self.now);
            }
            outcomes[index] = Some(Ok(Taken { id, is_duplicate: false }));
        }
        Ok(())
    }

    /// Says how much of the request was done before the journal took no more.
    fn partly(
        &self,
        error: IngestError,
        outcomes: &[Option<Result<Taken, Refusal>>],
    ) -> IngestError {
        let (IngestError::Unavailable { reason } | IngestError::Partly { reason, .. }) = error
        else {
            return error;
        };
        let known = outcomes.iter().take_while(|outcome| outcome.is_some()).count();
        // A repeat is in the journal, too.
        let is_any_kept = outcomes.iter().flatten().any(Result::is_ok);
        let Progress { kept: stored, done, entries } = self.progress;
        if stored == 0 && !is_any_kept {
            return IngestError::Unavailable { reason };
        }
        IngestError::Partly { stored, done: done + known, entries, reason }
    }
}

/// Answers for the event that was taken in already.
fn repeat(first: &First, visitor: &Visitor) -> Result<Taken, Refusal> {
    let id = first.id();
    if first.has_content_of(&visitor.event) {
        return Ok(Taken { id, is_duplicate: true });
    }
    let key = visitor.key.as_ref().map(ToString::to_string);
    Err(Refusal::KeyReused { key, id })
}

impl Group {
    fn push(&mut self, visitor: &Visitor, hold: Option<Hold>) {
        let payload = record::encode(&visitor.event, 0, visitor.key.as_ref());
        self.bytes += payload.len();
        self.payloads.push(payload);
        let known = hold.map(|hold| (hold, First::of(&visitor.event)));
        let (index, id) = (visitor.index, visitor.event.id().to_owned());
        self.members.push(Member { index, id, known });
    }
}

impl Core {
    /// Whether source and id are a key on this bus.
    pub(crate) fn deduplicates(&self, bus: &str) -> bool {
        let buses = &self.options.deduplication.by_source_and_id;
        !buses.is_empty() && buses.contains(bus)
    }
}
