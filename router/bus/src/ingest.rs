//! Taking events in: checked, stamped, in the journal, synced; only then is there an answer.

use bytes::Bytes;
use event::{EntryError, Stamp, Timestamp};
use journal::AppendError;

use crate::core::Core;
use crate::record;
use crate::router::Router;

/// Bytes of records in one append: well below a frame's limit.
const APPEND_BYTES: usize = 1024 * 1024;

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("there is no bus `{bus}`; there are: {}; a bus is made by a rule on it, or by `buses` in the configuration", known.join(", "))]
    UnknownBus { bus: String, known: Vec<String> },

    /// The journal cannot take events now.
    #[error("{reason}")]
    Unavailable { reason: String },

    /// The first entries are kept, the rest is not.
    #[error("{reason}; the first {kept} of {entries} events are kept")]
    Partly { kept: usize, entries: usize, reason: String },
}

impl From<AppendError> for IngestError {
    fn from(error: AppendError) -> Self {
        Self::Unavailable { reason: error.to_string() }
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
    ) -> Result<Vec<Result<String, EntryError>>, IngestError> {
        let core = &self.core;
        core.know(bus)?;
        let now = core.clock.now();
        let mut results = Vec::with_capacity(entries.len());
        let mut chunk = Chunk::default();
        let mut kept = 0;
        let total = entries.len();
        for (entry, id) in entries.iter().zip(core.ids(now, entries.len())) {
            match core.payload_of(entry, &id, now) {
                Ok((payload, id)) => {
                    chunk.push(payload);
                    results.push(Ok(id));
                }
                Err(error) => results.push(Err(error)),
            }
            if chunk.bytes >= APPEND_BYTES {
                kept += core.append_chunk(bus, &mut chunk, (kept, total)).await?;
            }
        }
        core.append_chunk(bus, &mut chunk, (kept, total)).await?;
        core.count_ingested(&results);
        Ok(results)
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
}

impl Core {
    pub(crate) fn know(&self, bus: &str) -> Result<(), IngestError> {
        if self.has_bus(bus) {
            return Ok(());
        }
        Err(IngestError::UnknownBus { bus: bus.chars().take(64).collect(), known: self.buses() })
    }

    /// `(kept, total)`: what to say when this append fails.
    async fn append_chunk(
        &self,
        bus: &str,
        chunk: &mut Chunk,
        (kept, entries): (usize, usize),
    ) -> Result<usize, IngestError> {
        let Chunk { payloads, .. } = std::mem::take(chunk);
        let count = payloads.len();
        if count == 0 {
            return Ok(0);
        }
        match self.append(bus, payloads).await {
            Err(IngestError::Unavailable { reason }) if 0 < kept => {
                Err(IngestError::Partly { kept, entries, reason })
            }
            Err(error) => Err(error),
            Ok(()) => Ok(count),
        }
    }

    /// A record's payload, and the event's id.
    fn payload_of(
        &self,
        entry: &[u8],
        id: &str,
        now: Timestamp,
    ) -> Result<(Bytes, String), EntryError> {
        let stamp =
            Stamp { id, time: now, account: &self.options.account, region: &self.options.region };
        record::encode_entry(entry, &self.options.limits, &stamp)
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
