//! Writing whole files: what the hot journal gives away.
//!
//! # Invariants
//!
//! - Every file is whole and synced before it gets its name, and named durably before the manifest
//!   lists it.
//! - What was begun and not finished leaves nothing behind, after a crash at the latest at the next
//!   start.
//! - bounded: in memory are one block and one file's index.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use super::{
    Inner,
    error::ChainError,
    listing::{Part, PartState, listed},
};
use crate::{
    ChainRecord, Keys, Offset,
    layout::unfinished,
    sealed::{
        FileHeader, FileWriter, FiltersKept, RAW_MAX, RECORD_OVERHEAD_MAX, layout::segment_name,
    },
};

/// A span that is being sealed. Dropped before it is finished, it was never begun.
pub struct Sealer {
    chain: Arc<Inner>,
    /// Where the next file's span begins.
    from: Offset,
    /// Behind the last record.
    next: Offset,
    last_time: i64,
    next_sequence: u64,
    file: Option<(String, FileWriter)>,
    /// Whole and synced, under their `.new` names.
    written: Vec<Part>,
    /// Those of them that have their own names already.
    named: usize,
}

/// What was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSpan {
    /// What the files cover.
    pub offsets: Range<Offset>,
    pub segments: usize,
    pub records: u64,
    /// On disk.
    pub bytes: u64,
    pub raw_bytes: u64,
}

impl Sealer {
    pub(super) fn begin(chain: &Arc<Inner>, from: Offset) -> Result<Self, ChainError> {
        chain.check_running()?;
        if chain.lock_tail().is_some() || chain.writing.swap(true, Ordering::AcqRel) {
            return Err(ChainError::Busy { path: chain.path("") });
        }
        let listing = chain.listing();
        let from = from.max(listing.manifest.to);
        Ok(Self {
            chain: Arc::clone(chain),
            from,
            next: from,
            last_time: listing.manifest.files.last().map_or(i64::MIN, |file| file.last_time),
            next_sequence: listing.manifest.next_sequence,
            file: None,
            written: Vec::new(),
            named: 0,
        })
    }

    /// Where the span begins that is being sealed; records before it are passed over.
    pub fn from(&self) -> Offset {
        self.written.first().map_or(self.from, |part| part.listed.from)
    }

    /// Takes the next record: their offsets rise. A time before the last one's becomes that.
    pub fn push(
        &mut self,
        record: &ChainRecord,
        keys: &mut dyn FnMut(&mut Keys),
    ) -> Result<(), ChainError> {
        if record.offset < self.next {
            return Ok(());
        }
        let (size, limit) = (record.payload.len(), RAW_MAX - RECORD_OVERHEAD_MAX);
        if limit < size {
            return Err(ChainError::TooLarge { path: self.chain.path(""), size, limit });
        }
        if self.is_full(size) {
            self.end_file(self.next)?;
        }
        let (name, writer) = match self.file.take() {
            Some(open) => self.file.insert(open),
            None => {
                let begun = self.begin_file()?;
                self.file.insert(begun)
            }
        };
        let record = ChainRecord { time: record.time.max(self.last_time), ..record.clone() };
        let pushed = writer.push(&record, keys);
        pushed.map_err(|source| self.chain.io(name, "write it", source))?;
        (self.next, self.last_time) = (record.offset.next(), record.time);
        Ok(())
    }

    /// Makes durable that everything up to `to` is sealed.
    pub fn finish(mut self, to: Offset) -> Result<SealedSpan, ChainError> {
        let from = self.from();
        let to = to.max(self.next);
        self.end_file(to)?;
        let chain = Arc::clone(&self.chain);
        let _changing = chain.lock_changing();
        for part in &self.written {
            let renamed = chain.disk.rename(&unfinished(&part.name), &part.name);
            renamed.map_err(|source| chain.io(&part.name, "rename it", source))?;
            self.named += 1;
            chain.sync_names()?;
        }
        let listing = chain.listing();
        let mut span = SealedSpan {
            offsets: from..to,
            segments: self.written.len(),
            records: 0,
            bytes: 0,
            raw_bytes: 0,
        };
        let parts: Vec<_> = self.written.iter().map(Part::again).collect();
        for part in &parts {
            span.records += part.listed.records;
            span.bytes += part.listed.length;
            if let PartState::Sound(trailer) = &part.state {
                span.raw_bytes += trailer.raw_bytes;
            }
        }
        let mut new = listing.with(parts, to);
        if listing.manifest.files.is_empty() && listing.manifest.from == listing.manifest.to {
            new.manifest.from = from;
        }
        if listing.manifest != new.manifest {
            chain.publish(new)?;
        }
        self.written.clear();
        Ok(span)
    }

    fn is_full(&self, size: usize) -> bool {
        self.file.as_ref().is_some_and(|(_, writer)| {
            let raw = writer.raw_bytes();
            0 < raw && self.chain.options.segment_bytes_max < raw + size as u64
        })
    }

    fn begin_file(&mut self) -> Result<(String, FileWriter), ChainError> {
        let name = segment_name(self.from);
        let header = FileHeader {
            chain_id: self.chain.listing().manifest.id,
            sequence: self.next_sequence,
            from: self.from,
        };
        let block_bytes_max = self.chain.options.block_bytes_max;
        let begun = self.chain.disk.create(&unfinished(&name), 0).and_then(|file| {
            FileWriter::begin(file, header, block_bytes_max, FiltersKept::AtTheEnd)
        });
        let writer = begun.map_err(|source| {
            self.clean(&unfinished(&name));
            self.chain.io(&unfinished(&name), "create it", source)
        })?;
        self.next_sequence += 1;
        Ok((name, writer))
    }

    /// Makes the file whole and durable, under its `.new` name still.
    fn end_file(&mut self, to: Offset) -> Result<(), ChainError> {
        let Some((name, writer)) = &mut self.file else { return Ok(()) };
        let finished = writer.finish(to).and_then(|finished| {
            writer.file.sync()?;
            Ok(finished)
        });
        let (trailer, length) =
            finished.map_err(|source| self.chain.io(&unfinished(name), "write it", source))?;
        self.written.push(Part {
            listed: listed(&trailer, length),
            path: self.chain.path(name),
            name: std::mem::take(name),
            state: PartState::Sound(trailer),
        });
        self.file = None;
        self.from = to;
        Ok(())
    }

    fn clean(&self, name: &str) {
        if let Err(error) = self.chain.disk.remove(name) {
            let file = self.chain.path(name);
            tracing::warn!(file = %file.display(), %error, "unfinished segment not removed");
        }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        if let Some((name, _)) = &self.file {
            self.clean(&unfinished(name));
        }
        // The last one first, each durably: a crash in between leaves no gap.
        for (number, part) in self.written.iter().enumerate().rev() {
            if self.named <= number {
                self.clean(&unfinished(&part.name));
            } else if !self.chain.is_stopped() {
                // Otherwise the manifest on the disk may list it.
                self.clean(&part.name);
                if let Err(error) = self.chain.sync_names() {
                    tracing::debug!(%error, "unfinished segments stay"); // It was an error already.
                }
            }
        }
        self.chain.writing.store(false, Ordering::Release);
    }
}

impl Part {
    fn again(&self) -> Self {
        Self {
            listed: self.listed,
            name: self.name.clone(),
            path: self.path.clone(),
            state: self.state.clone(),
        }
    }
}
