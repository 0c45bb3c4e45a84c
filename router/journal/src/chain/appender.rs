//! Writing records one by one without syncing them: the delivery log.
//!
//! # Invariants
//!
//! - A record that was taken is seen by readers at once. It survives the process when its block was
//!   flushed, and the machine when its file was rolled, or as luck has it.
//! - A failed flush loses nothing: the block stays, and further records are refused when it is
//!   full.
//! - bounded: one block in memory, and the index and filters of one file.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;

use super::{
    ChainStats, Inner,
    error::ChainError,
    listing::{Part, PartState, listed},
};
use crate::{
    ChainRecord, Keys, Offset,
    sealed::{
        FileHeader, FileWriter, FiltersKept, RAW_MAX, RECORD_OVERHEAD_MAX,
        layout::{open_name, segment_name},
    },
};

/// How far a file may grow beyond its limit, in times of it, when nobody flushes.
const OVERDUE: u64 = 2;

/// Appends to a chain. Clones share its file.
#[derive(Clone)]
pub struct Appender {
    chain: Arc<Inner>,
}

/// The file that grows, and what is not in it yet.
pub(crate) struct Tail {
    pub(super) name: String,
    pub(super) writer: FileWriter,
    /// The records of the block that was begun.
    pub(super) recent: Vec<ChainRecord>,
    /// Of the next record.
    pub(super) next: Offset,
    pub(super) last_time: i64,
}

impl Appender {
    pub(super) fn begin(chain: &Arc<Inner>) -> Result<Self, ChainError> {
        chain.check_running()?;
        // For good: a chain is sealed or appended to, not both.
        if chain.writing.swap(true, Ordering::AcqRel) {
            return Err(ChainError::Busy { path: chain.path("") });
        }
        Ok(Self { chain: Arc::clone(chain) })
    }

    /// Takes a record and gives it the next offset. A time before the last one's becomes that.
    ///
    /// Writes a block when one is full; on an error the record was not taken.
    pub fn push(
        &self,
        time: i64,
        payload: Bytes,
        keys: &mut dyn FnMut(&mut Keys),
    ) -> Result<Offset, ChainError> {
        let chain = &self.chain;
        chain.check_running()?;
        let (size, limit) = (payload.len(), RAW_MAX - RECORD_OVERHEAD_MAX);
        if limit < size {
            return Err(ChainError::TooLarge { path: chain.path(""), size, limit });
        }
        let mut guard = chain.lock_tail();
        let full = chain.options.segment_bytes_max.saturating_mul(OVERDUE);
        if guard.as_ref().is_some_and(|tail| full <= tail.writer.raw_bytes()) {
            roll(chain, &mut guard)?;
        }
        let tail = match guard.take() {
            Some(tail) => guard.insert(tail),
            None => {
                let begun = Tail::begin(chain)?;
                guard.insert(begun)
            }
        };
        let record = ChainRecord { offset: tail.next, time: time.max(tail.last_time), payload };
        let blocks = tail.writer.entries().len();
        tail.writer
            .push(&record, keys)
            .map_err(|source| chain.io(&tail.name, "append to it", source))?;
        if blocks < tail.writer.entries().len() {
            tail.recent.clear();
        }
        (tail.next, tail.last_time) = (record.offset.next(), record.time);
        tail.recent.push(record);
        Ok(tail.next.before())
    }

    /// Writes the block that was begun, without syncing it; rolls when the file is full. Returns
    /// the bytes that were written.
    pub fn flush(&self) -> Result<u64, ChainError> {
        let chain = &self.chain;
        let mut guard = chain.lock_tail();
        let Some(tail) = &mut *guard else { return Ok(0) };
        chain.check_running()?;
        let written = tail.flush(chain)?;
        if chain.options.segment_bytes_max <= tail.writer.raw_bytes() {
            roll(chain, &mut guard)?;
        }
        Ok(written)
    }

    /// Finishes the file durably; the next record begins another. Nothing happens when there is no
    /// record in it.
    pub fn roll(&self) -> Result<(), ChainError> {
        self.chain.check_running()?;
        roll(&self.chain, &mut self.chain.lock_tail())
    }

    /// The time of the first record in the file that grows; `None` when there is none.
    pub fn begun_at(&self) -> Option<i64> {
        self.chain.lock_tail().as_ref().and_then(|tail| tail.stats().first_time)
    }

    /// Records that a flush would write.
    pub fn unflushed(&self) -> usize {
        self.chain.lock_tail().as_ref().map_or(0, |tail| tail.recent.len())
    }

    /// The next record's offset.
    pub fn next_offset(&self) -> Offset {
        let tail = self.chain.lock_tail();
        tail.as_ref().map_or_else(|| self.chain.listing().manifest.to, |tail| tail.next)
    }
}

impl Tail {
    fn begin(chain: &Inner) -> Result<Self, ChainError> {
        let listing = chain.listing();
        let from = listing.manifest.to;
        let name = open_name(from);
        let header = FileHeader {
            chain_id: listing.manifest.id,
            sequence: listing.manifest.next_sequence,
            from,
        };
        let block_bytes_max = chain.options.block_bytes_max;
        let begun = chain.disk.create(&name, 0).and_then(|file| {
            FileWriter::begin(file, header, block_bytes_max, FiltersKept::InBlocks)
        });
        let writer = begun.map_err(|source| chain.io(&name, "create it", source))?;
        let last_time = listing.manifest.files.last().map_or(i64::MIN, |file| file.last_time);
        Ok(Self { name, writer, recent: Vec::new(), next: from, last_time })
    }

    fn flush(&mut self, chain: &Inner) -> Result<u64, ChainError> {
        let flushed = self.writer.flush();
        let written = flushed.map_err(|source| chain.io(&self.name, "append to it", source))?;
        self.recent.clear();
        Ok(written)
    }

    pub(super) fn stats(&self) -> ChainStats {
        let (entries, recent) = (self.writer.entries(), &self.recent);
        let first_time = entries.first().map(|entry| entry.first_time);
        let first_time = first_time.or(recent.first().map(|record| record.time));
        ChainStats {
            segments: 1,
            bytes: self.writer.position(),
            raw_bytes: self.writer.raw_bytes(),
            records: self.writer.records() + recent.len() as u64,
            next_offset: self.next,
            first_time,
            last_time: first_time.map(|_| self.last_time),
            ..ChainStats::default()
        }
    }
}

fn roll(chain: &Inner, tail: &mut Option<Tail>) -> Result<(), ChainError> {
    let Some(open) = tail else { return Ok(()) };
    open.flush(chain)?;
    if open.writer.records() == 0 {
        return Ok(());
    }
    let finished = open.writer.finish(open.next).and_then(|finished| {
        open.writer.file.sync()?;
        Ok(finished)
    });
    let (trailer, length) = finished.map_err(|source| chain.io(&open.name, "finish it", source))?;
    let name = segment_name(trailer.from);
    let _changing = chain.lock_changing();
    let renamed = chain.disk.rename(&open.name, &name);
    renamed.map_err(|source| chain.io(&open.name, "rename it", source))?;
    let part = Part {
        listed: listed(&trailer, length),
        path: chain.path(&name),
        name: name.clone(),
        state: PartState::Sound(trailer),
    };
    let listing = chain.listing();
    let published =
        chain.sync_names().and_then(|()| chain.publish(listing.with([part], trailer.to)));
    if let Err(error) = published {
        if chain.is_stopped() {
            return Err(error); // The manifest on the disk may list it.
        }
        // Records go on being appended to it, so it must not look finished.
        if let Err(error) = chain.disk.rename(&name, &open.name) {
            chain.stop(format!("rename {name} back: {error}"));
        }
        return Err(error);
    }
    *tail = None;
    Ok(())
}
