//! Taking events in: checked, stamped, in the journal, synced; only then is there an answer.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use event::{Entry, EntryError, IdempotencyKey, Stamp, Timestamp};
use journal::{AppendError, Offset};

use crate::core::Core;
use crate::door::Visit;
use crate::record;
use crate::router::Router;
use crate::sealing::Durability;

/// Bytes of records in one append: well below a frame's limit.
pub(crate) const APPEND_BYTES: usize = 1024 * 1024;

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("there is no bus `{bus}`; there are: {}; a bus is made by a rule on it, or by `buses` in the configuration", known.join(", "))]
    UnknownBus { bus: String, known: Vec<String> },

    /// The journal cannot take events now.
    #[error("{reason}")]
    Unavailable { reason: String },

    /// The first entries are dealt with, the rest is not kept.
    #[error(
        "{reason}; the first {done} of {entries} events are done: kept, but for those with a fault of their own"
    )]
    Partly {
        /// Events that came into the journal.
        stored: usize,
        done: usize,
        entries: usize,
        reason: String,
    },
}

impl From<AppendError> for IngestError {
    fn from(error: AppendError) -> Self {
        Self::Unavailable { reason: error.to_string() }
    }
}

/// An entry that is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The event's id; of the one that came first, when this is a repeat.
    pub id: String,
    /// It was there already, under the same idempotency key.
    pub is_duplicate: bool,
}

/// Why one entry was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Entry(#[from] EntryError),

    #[error("{} with other content, by the event {id}; send what is new under a key of its own, or none", used(key.as_deref()))]
    KeyReused { key: Option<String>, id: String },
}

fn used(key: Option<&str>) -> String {
    match key {
        Some(key) => format!("the idempotency key `{key}` was used before"),
        None => "this source and id were used before, and on this bus they are a key,".to_owned(),
    }
}

/// How far a request has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// In the journal.
    pub kept: usize,
    /// So many of the first entries are in the journal, or were refused for what is in them.
    pub done: usize,
    pub entries: usize,
}

impl Progress {
    /// The journal takes no more of the request.
    pub(crate) fn end(&self, reason: String) -> IngestError {
        let Self { kept, done, entries } = *self;
        match kept {
            0 => IngestError::Unavailable { reason },
            stored => IngestError::Partly { stored, done, entries, reason },
        }
    }

    /// Appends to the bus, and says how much is kept when that fails. Of events that are not keyed
    /// it may not be known yet where they are: the range is empty then.
    pub(crate) async fn append(
        &mut self,
        core: &Core,
        bus: &str,
        payloads: Vec<Bytes>,
        is_keyed: bool,
    ) -> Result<Range<Offset>, IngestError> {
        let count = payloads.len();
        if count == 0 {
            let end = core.journal.durable_end();
            return Ok(end..end);
        }
        let appended = match core.bus_options(bus).durability {
            // Whoever came with a key wants to know where the event is.
            Durability::Interval(within) if !is_keyed => core.post(bus, payloads, within).await,
            Durability::Synced | Durability::Interval(_) => core.append(bus, payloads).await,
        };
        match appended {
            Err(IngestError::Unavailable { reason }) => Err(self.end(reason)),
            Err(error) => Err(error),
            Ok(range) => {
                self.kept += count;
                Ok(range)
            }
        }
    }
}

impl Router {
    /// Takes entries into a bus, each one JSON text. One result per entry, in their order: the id
    /// of the event, or why it was refused; the others are kept all the same.
    ///
    /// # Errors
    ///
    /// When none was taken in, or, at a failure of the disk in the middle, only the first ones.
    pub async fn ingest(
        &self,
        bus: &str,
        entries: Vec<Bytes>,
    ) -> Result<Vec<Result<Taken, Refusal>>, IngestError> {
        self.ingest_once(bus, entries, None).await
    }

    /// [`Router::ingest`] of a request that has an idempotency key: what was taken in under it before is
    /// not taken in again. Of several entries each has the key with its index.
    ///
    /// # Errors
    ///
    /// As [`Router::ingest`].
    pub async fn ingest_once(
        &self,
        bus: &str,
        entries: Vec<Bytes>,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<Result<Taken, Refusal>>, IngestError> {
        let taken = self.take(bus, entries, key).await;
        match &taken {
            Ok(results) => self.core.count_ingested(results),
            Err(IngestError::Partly { stored, .. }) => self.core.count_stored(*stored),
            Err(IngestError::UnknownBus { .. } | IngestError::Unavailable { .. }) => (),
        }
        if let Err(IngestError::Partly { .. } | IngestError::Unavailable { .. }) = &taken {
            self.core.note_refusal(true);
        }
        taken
    }

    async fn take(
        &self,
        bus: &str,
        entries: Vec<Bytes>,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<Result<Taken, Refusal>>, IngestError> {
        let core = &self.core;
        core.know(bus)?;
        let now = core.clock.now();
        let ids: Vec<String> = core.ids(now, entries.len()).collect();
        let mut progress = Progress { kept: 0, done: 0, entries: entries.len() };
        let mut results = Vec::with_capacity(entries.len());
        if key.is_none() && !core.deduplicates(bus) {
            core.take_keyless(bus, (&entries, &ids), &mut progress, &mut results).await?;
        }
        if results.len() < entries.len() {
            // From the first entry with a key on.
            let rest = entries.into_iter().zip(ids).skip(results.len()).collect();
            let (core, bus) = (Arc::clone(core), bus.to_owned());
            results.extend(
                Visit { core, bus, now, entries: rest, key, progress }.carried_out().await?,
            );
        }
        Ok(results)
    }
}

impl Visit {
    async fn carried_out(self) -> Result<Vec<Result<Taken, Refusal>>, IngestError> {
        let (core, progress) = (Arc::clone(&self.core), self.progress);
        let outcome = core.carried_out(self.run()).await;
        outcome.map_err(|stopping| progress.end(stopping.to_string()))?
    }
}

impl Core {
    pub(crate) fn know(&self, bus: &str) -> Result<(), IngestError> {
        if self.has_bus(bus) {
            return Ok(());
        }
        Err(IngestError::UnknownBus { bus: bus.chars().take(64).collect(), known: self.buses() })
    }

    /// Takes in the entries before the first that has a key.
    async fn take_keyless(
        &self,
        bus: &str,
        (entries, ids): (&[Bytes], &[String]),
        progress: &mut Progress,
        results: &mut Vec<Result<Taken, Refusal>>,
    ) -> Result<(), IngestError> {
        let now = self.clock.now();
        let mut chunk = Chunk::default();
        for (entry, id) in entries.iter().zip(ids) {
            match self.payload_of(entry, id, now) {
                Ok(None) => break,
                Ok(Some((payload, id))) => {
                    chunk.push(payload);
                    results.push(Ok(Taken { id, is_duplicate: false }));
                }
                Err(error) => results.push(Err(Refusal::Entry(error))),
            }
            if chunk.bytes >= APPEND_BYTES {
                progress.append(self, bus, chunk.take(), false).await?;
                progress.done = results.len();
            }
        }
        progress.append(self, bus, chunk.take(), false).await?;
        progress.done = results.len();
        Ok(())
    }

    /// A record's payload, and the event's id; none when the entry has a key.
    fn payload_of(
        &self,
        entry: &[u8],
        id: &str,
        now: Timestamp,
    ) -> Result<Option<(Bytes, String)>, EntryError> {
        record::encode_entry(entry, &self.options.limits, &self.stamp(id, now))
    }

    fn stamp<'a>(&'a self, id: &'a str, now: Timestamp) -> Stamp<'a> {
        Stamp { id, time: now, account: &self.options.account, region: &self.options.region }
    }

    pub(crate) fn entry(
        &self,
        entry: &[u8],
        id: &str,
        now: Timestamp,
    ) -> Result<Entry, EntryError> {
        Entry::read(entry, &self.options.limits, &self.stamp(id, now))
    }

    /// Version 7 UUIDs of this millisecond.
    fn ids(&self, now: Timestamp, count: usize) -> impl Iterator<Item = String> + use<> {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let mut random = vec![0; count * 10];
        self.outside.fill_random(&mut random);
        (0..count).map(move |index| {
            let mut tail = [0; 10];
            tail.copy_from_slice(random.get(index * 10..(index + 1) * 10).expect("ten each"));
            uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().to_string()
        })
    }

    pub(crate) fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        self.outside.fill_random(&mut bytes);
        u64::from_ne_bytes(bytes)
    }
}

#[derive(Default)]
struct Chunk {
    payloads: Vec<Bytes>,
    bytes: usize,
}

impl Chunk {
    fn push(&mut self, payload: Bytes) {
        self.bytes += payload.len();
        self.payloads.push(payload);
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.payloads)
    }
}
