//! Writing one sealed segment, from its first block to its trailer.
//!
//! # Invariants
//!
//! - A block that could not be written stays in memory, and is written again at the same place.
//! - bounded: in memory are one block, its keys, and the index and filters of the file.
//!
//! # Not here
//!
//! - Syncing and naming: only the chain knows when a file counts.

use std::{io, sync::Arc};

use super::{
    BlockEntry, ChainRecord, FILE_HEADER, FileHeader, Gathering, Keys, Seal, Summary, Trailer,
    filter::{self, FilterBytes},
    index,
    layout::Section,
};
use crate::{Offset, disk::File, layout::Seed};

pub(crate) struct FileWriter {
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: FileHeader,
    seed: Seed,
    block_bytes_max: usize,
    filters_kept: FiltersKept,
    gathering: Gathering,
    keys: Keys,
    entries: Vec<BlockEntry>,
    filters: Vec<u8>,
    /// Where the next block goes.
    position: u64,
    records: u64,
    raw_bytes: u64,
    buffer: Vec<u8>,
}

/// Where a block's filter is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum FiltersKept {
    /// Only at the end of the file, because it is written in one go.
    AtTheEnd,
    /// In the block as well, because the end may never be written.
    InBlocks,
}

impl FileWriter {
    /// Begins an empty file.
    pub(crate) fn begin(
        file: Arc<dyn File>,
        header: FileHeader,
        block_bytes_max: usize,
        filters_kept: FiltersKept,
    ) -> io::Result<Self> {
        file.write_at(&header.encode(), 0)?;
        Ok(Self {
            file,
            seed: header.seed(),
            header,
            block_bytes_max,
            filters_kept,
            gathering: Gathering::default(),
            keys: Keys::default(),
            entries: Vec::new(),
            filters: Vec::new(),
            position: FILE_HEADER as u64,
            records: 0,
            raw_bytes: 0,
            buffer: Vec::new(),
        })
    }

    /// Takes note of a block that is in the file already, behind the last one.
    pub(crate) fn note(&mut self, entry: BlockEntry, filter: &FilterBytes) {
        const BOUNDED: &str = "filters are bounded, and so are the blocks of a file";
        self.entries.push(BlockEntry {
            filter_at: u32::try_from(self.filters.len()).expect(BOUNDED),
            filter_len: u32::try_from(filter.0.len()).expect(BOUNDED),
            ..entry
        });
        self.filters.extend_from_slice(&filter.0);
        self.position = entry.end();
        self.records += u64::from(entry.records);
        self.raw_bytes += u64::from(entry.raw_len);
    }

    /// Takes the record. When the block is full it is written first; if that fails, nothing was
    /// taken.
    pub(crate) fn push(
        &mut self,
        record: &ChainRecord,
        keys: &mut dyn FnMut(&mut Keys),
    ) -> io::Result<()> {
        let filled = self.gathering.raw_len() + record.payload.len();
        if self.block_bytes_max < filled && !self.gathering.is_empty() {
            self.flush()?;
        }
        self.gathering.push(record.offset, record.time, &record.payload);
        keys(&mut self.keys);
        Ok(())
    }

    /// Writes the block that was begun. Returns how many bytes.
    pub(crate) fn flush(&mut self) -> io::Result<u64> {
        if self.gathering.is_empty() {
            return Ok(0);
        }
        self.flush_with(&filter::encode(&self.keys))
    }

    /// Writes a block whose filter is known.
    pub(crate) fn block(
        &mut self,
        records: &[ChainRecord],
        filter: &FilterBytes,
    ) -> io::Result<()> {
        for record in records {
            self.gathering.push(record.offset, record.time, &record.payload);
        }
        self.flush_with(filter)?;
        Ok(())
    }

    fn flush_with(&mut self, filter: &FilterBytes) -> io::Result<u64> {
        let own_filter = match self.filters_kept {
            FiltersKept::AtTheEnd => &[][..],
            FiltersKept::InBlocks => &filter.0,
        };
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.buffer.clear();
        let seal = Seal { seed: self.seed, number, filter: own_filter };
        let header = self.gathering.seal(&seal, &mut self.buffer);
        self.file.write_at(&self.buffer, self.position)?;
        self.note(header.entry(self.position), filter);
        self.gathering.clear();
        self.keys.clear();
        Ok(header.len())
    }

    /// Writes the last block and what stands behind the blocks: the file is whole, but not synced.
    /// It has records. Returns its trailer and length.
    pub(crate) fn finish(&mut self, to: Offset) -> io::Result<(Trailer, u64)> {
        const BOUNDED: &str = "filters are bounded, and so are the blocks of a file";
        self.flush()?;
        let (first, last) = match &self.entries[..] {
            [] => panic!("a sealed segment has records"),
            [only] => (only, only),
            [first, .., last] => (first, last),
        };
        let index = index::encode(&self.entries);
        let index_length = u32::try_from(index.len()).expect(BOUNDED);
        let trailer = Trailer {
            index: Section {
                position: self.position,
                length: index_length,
                sum: self.seed.checksum(&index),
            },
            filters: Section {
                position: self.position + u64::from(index_length),
                length: u32::try_from(self.filters.len()).expect(BOUNDED),
                sum: self.seed.checksum(&self.filters),
            },
            sequence: self.header.sequence,
            from: self.header.from,
            to,
            records: self.records,
            raw_bytes: self.raw_bytes,
            first: first.first,
            last: last.last,
            first_time: first.first_time,
            last_time: last.last_time,
            blocks: u32::try_from(self.entries.len()).expect(BOUNDED),
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(&index);
        self.buffer.extend_from_slice(&self.filters);
        self.buffer.extend_from_slice(&trailer.encode(self.seed));
        self.file.write_at(&self.buffer, self.position)?;
        let length = self.position + self.buffer.len() as u64;
        if self.file.len()? != length {
            self.file.set_len(length)?; // An earlier try has left a longer end.
        }
        Ok((trailer, length))
    }

    /// Raw bytes, those of the block that was begun included.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.raw_bytes + self.gathering.raw_len() as u64
    }

    /// Records in blocks that were written.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Bytes in the file.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn entries(&self) -> &[BlockEntry] {
        &self.entries
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// What a filter of the reader's is asked about a block that was written.
    pub(crate) fn judge(&self, number: usize, ask: &dyn Fn(&Summary<'_>) -> bool) -> bool {
        let Some(entry) = self.entries.get(number) else { return true };
        let at = usize::try_from(entry.filter_at).unwrap_or(usize::MAX);
        let end = at.saturating_add(usize::try_from(entry.filter_len).unwrap_or(usize::MAX));
        let bytes = self.filters.get(at..end).unwrap_or_default();
        let filter = FilterBytes(bytes::Bytes::copy_from_slice(bytes));
        ask(&Summary::new(entry, &filter))
    }
}
