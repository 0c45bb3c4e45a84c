//! What an archive holds, in numbers.
//!
//! # Invariants
//!
//! - bounded: of what is not sealed yet, no more than [`LOOKED_AT_MAX`] offsets are looked at; the
//!   answer says when that was not all.

use std::sync::Arc;

use event::Timestamp;
use journal::Offset;
use serde::Serialize;

use super::{Archive, ArchiveError};
use crate::core::Core;
use crate::replay::Source;
use crate::router::Router;

/// Offsets of the journal, of all buses.
const LOOKED_AT_MAX: u64 = 500_000;

/// How much is in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveContents {
    pub event_count: u64,
    /// As they lie on the disk.
    pub size_bytes: u64,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    /// False: there are more, in a part of the journal that is not sealed yet.
    pub exact: bool,
}

impl Router {
    /// Counts what an archive holds.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn archive_contents(
        &self,
        archive: &Arc<Archive>,
    ) -> Result<ArchiveContents, ArchiveError> {
        let (core, archive) = (Arc::clone(&self.core), Arc::clone(archive));
        let counting = move || {
            let name = archive.name.as_ref().to_owned();
            let disk = |error: journal::ReadError| {
                let reason = error.to_string();
                ArchiveError::Disk { name, reason }
            };
            core.count_archive(&archive).map_err(disk)
        };
        self.core.outside.blocking(counting).await
    }
}

impl Core {
    fn count_archive(&self, archive: &Arc<Archive>) -> Result<ArchiveContents, journal::ReadError> {
        let (mut contents, from) = self.sealed_contents(archive);
        let end = self.journal.durable_end();
        let last = Offset::new(end.get().min(from.get().saturating_add(LOOKED_AT_MAX)));
        contents.exact = last == end;
        let mut past = Source::all_of(archive).read_unsealed(&self.journal, from);
        while past.position() < last {
            let Some(batch) = past.next_batch()? else { break };
            for record in batch.iter().filter(|record| record.offset < last) {
                let time = Timestamp::from_millis(record.time);
                contents.event_count += 1;
                contents.size_bytes += u64::try_from(record.payload.len()).unwrap_or(u64::MAX);
                contents.oldest = contents.oldest.or(Some(time));
                contents.newest = Some(time);
            }
        }
        Ok(contents)
    }

    /// What lies in the archive's own chain, and where the journal goes on.
    fn sealed_contents(&self, archive: &Archive) -> (ArchiveContents, Offset) {
        // Asked first: what is sealed below this is in the chain that is counted now.
        let sealed_to = self.journal.sealed_to();
        let Some(chain) = self.journal.archive(&archive.name) else {
            return (ArchiveContents::default(), archive.from_offset);
        };
        let stats = chain.stats();
        let contents = ArchiveContents {
            event_count: stats.records,
            size_bytes: stats.bytes,
            oldest: stats.first_time.map(Timestamp::from_millis),
            newest: stats.last_time.map(Timestamp::from_millis),
            exact: true,
        };
        // While a round of sealing ends, its chains are there before the journal says so.
        (contents, archive.from_offset.max(sealed_to).max(stats.next_offset))
    }
}
