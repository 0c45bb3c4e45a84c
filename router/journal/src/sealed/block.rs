//! One block: a few hundred records, packed together.
//!
//! ```text
//! block  = "SLBK"  checksum: u32  body sum: u32  body length: u32  raw length: u32  records: u32
//!          first offset: u64  last offset: u64  first time: i64  last time: i64
//!          number: u32  filter length: u32  coding: u8  zero: [u8; 7]  filter  body
//! record = offset step: leb128  time step: leb128  length: leb128  payload
//! ```
//!
//! # Invariants
//!
//! - `decode(seal(records)) == records`.
//! - Every byte is covered by a checksum or has one value only.

use bytes::Bytes;

use super::{ChainRecord, filter::FilterBytes, index::BlockEntry};
use crate::{
    Offset,
    layout::{Seed, take},
};

pub(crate) const BLOCK_HEADER: usize = 72;
/// The most that a block holds unpacked. One that says more is not read.
pub(crate) const RAW_MAX: usize = 64 << 20;
/// What a record takes besides its payload, at most: two steps and a length below [`RAW_MAX`].
pub(crate) const RECORD_OVERHEAD_MAX: usize = 10 + 10 + 4;

const MAGIC: [u8; 4] = *b"SLBK";
const LEVEL: i32 = 1;
const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// What a block says of itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) body_sum: u32,
    pub(crate) body_len: u32,
    pub(crate) raw_len: u32,
    pub(crate) records: u32,
    pub(crate) first: Offset,
    pub(crate) last: Offset,
    pub(crate) first_time: i64,
    pub(crate) last_time: i64,
    pub(crate) number: u32,
    pub(crate) filter_len: u32,
    coding: u8,
}

/// Why bytes are not a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("no block begins there")]
    Absent,
    #[error("the checksum of the block's header does not match")]
    Header,
    #[error("the block is longer than what is left of the file")]
    Long,
    #[error("the checksum of the block's records does not match")]
    Body,
    #[error("the index says something else of the block than the block itself")]
    Index,
    #[error("the block's checksums match, but {0}")]
    Nonsense(&'static str),
}

impl BlockHeader {
    pub(crate) fn decode(bytes: &[u8], seed: Seed) -> Result<Self, BlockError> {
        let Some(bytes) = bytes.first_chunk::<BLOCK_HEADER>() else {
            return Err(BlockError::Absent);
        };
        if take(bytes, 0) != MAGIC {
            return Err(BlockError::Absent);
        }
        let short = |at| u32::from_le_bytes(take(bytes, at));
        let long = |at| u64::from_le_bytes(take(bytes, at));
        if short(4) != seed.checksum(&bytes[8..]) {
            return Err(BlockError::Header);
        }
        let [coding, zero @ ..] = take::<8>(bytes, 64);
        let header = Self {
            body_sum: short(8),
            body_len: short(12),
            raw_len: short(16),
            records: short(20),
            first: Offset::new(long(24)),
            last: Offset::new(long(32)),
            first_time: i64::from_le_bytes(take(bytes, 40)),
            last_time: i64::from_le_bytes(take(bytes, 48)),
            number: short(56),
            filter_len: short(60),
            coding,
        };
        if zero != [0; 7] || ![RAW, ZSTD].contains(&coding) {
            return Err(BlockError::Nonsense("its coding is not known"));
        }
        if usize::try_from(header.raw_len).map_or(true, |length| RAW_MAX < length) {
            return Err(BlockError::Nonsense("it is larger than a block can be"));
        }
        if u32::try_from(header.len()).is_err() {
            return Err(BlockError::Nonsense("it is longer than a block can be"));
        }
        Ok(header)
    }

    fn encode(&self, seed: Seed) -> [u8; BLOCK_HEADER] {
        let mut bytes = [0; BLOCK_HEADER];
        bytes[0..4].copy_from_slice(&MAGIC);
        for (at, number) in [
            (8, self.body_sum),
            (12, self.body_len),
            (16, self.raw_len),
            (20, self.records),
            (56, self.number),
            (60, self.filter_len),
        ] {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        bytes[24..32].copy_from_slice(&self.first.get().to_le_bytes());
        bytes[32..40].copy_from_slice(&self.last.get().to_le_bytes());
        bytes[40..48].copy_from_slice(&self.first_time.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.last_time.to_le_bytes());
        bytes[64] = self.coding;
        let checksum = seed.checksum(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The length of the block in the file.
    pub(crate) fn len(&self) -> u64 {
        BLOCK_HEADER as u64 + u64::from(self.filter_len) + u64::from(self.body_len)
    }

    /// What the index says of the block when it begins at `position`.
    pub(crate) fn entry(&self, position: u64) -> BlockEntry {
        BlockEntry {
            number: self.number,
            position,
            length: u32::try_from(self.len()).unwrap_or(u32::MAX), // Decoding has refused it.
            raw_len: self.raw_len,
            records: self.records,
            first: self.first,
            last: self.last,
            first_time: self.first_time,
            last_time: self.last_time,
            filter_at: 0,
            filter_len: 0,
        }
    }

    /// What follows the header, split, when its checksum matches.
    pub(crate) fn parts<'a>(
        &self,
        rest: &'a [u8],
        seed: Seed,
    ) -> Result<(&'a [u8], &'a [u8]), BlockError> {
        if seed.checksum(rest) != self.body_sum {
            return Err(BlockError::Body);
        }
        let filter_len = usize::try_from(self.filter_len).unwrap_or(usize::MAX);
        rest.split_at_checked(filter_len).ok_or(BlockError::Long)
    }

    /// The records of a body whose checksum has matched. They share one piece of memory.
    pub(crate) fn records(&self, body: &[u8]) -> Result<Vec<ChainRecord>, BlockError> {
        let raw_len = usize::try_from(self.raw_len).unwrap_or(usize::MAX);
        let raw = match self.coding {
            ZSTD => zstd::bulk::decompress(body, raw_len)
                .map_err(|_error| BlockError::Nonsense("it cannot be unpacked"))?,
            _ => body.to_vec(),
        };
        if raw.len() != raw_len {
            return Err(BlockError::Nonsense("it is not as long as it says when unpacked"));
        }
        self.unpack(&raw.into()).ok_or(BlockError::Nonsense("its records do not add up"))
    }

    fn unpack(&self, raw: &Bytes) -> Option<Vec<ChainRecord>> {
        // At least three bytes each: hostile counts cannot ask for more than the raw length.
        let count = usize::try_from(self.records).ok()?;
        let mut records: Vec<ChainRecord> = Vec::with_capacity(count.min(raw.len() / 3));
        let mut at = 0;
        let (mut offset, mut time) = (self.first.get(), self.first_time);
        for number in 0..self.records {
            let step = leb128(raw, &mut at)?;
            if (number == 0) != (step == 0) {
                return None;
            }
            offset = offset.checked_add(step)?;
            time = time.checked_add_unsigned(leb128(raw, &mut at)?)?;
            let length = usize::try_from(leb128(raw, &mut at)?).ok()?;
            let end = at.checked_add(length).filter(|end| *end <= raw.len())?;
            records.push(ChainRecord {
                offset: Offset::new(offset),
                time,
                payload: raw.slice(at..end),
            });
            at = end;
        }
        let (first, last) = (records.first()?, records.last()?);
        let agrees = at == raw.len()
            && last.offset == self.last
            && first.time == self.first_time
            && last.time == self.last_time;
        agrees.then_some(records)
    }
}

/// A block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    raw: Vec<u8>,
    records: u32,
    first: Offset,
    last: Offset,
    first_time: i64,
    last_time: i64,
}

/// What a block gets that is not its records.
pub(crate) struct Seal<'a> {
    pub(crate) seed: Seed,
    pub(crate) number: u32,
    /// Kept in the block itself; empty where the file's end has it.
    pub(crate) filter: &'a [u8],
}

impl Gathering {
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(crate) fn raw_len(&self) -> usize {
        self.raw.len()
    }

    /// Offsets rise, and times do not fall.
    pub(crate) fn push(&mut self, offset: Offset, time: i64, payload: &[u8]) {
        if self.is_empty() {
            (self.first, self.last, self.first_time, self.last_time) = (offset, offset, time, time);
        } else {
            assert!(self.last < offset && self.last_time <= time, "a chain's records are in order");
        }
        put_leb128(&mut self.raw, offset.get() - self.last.get());
        put_leb128(&mut self.raw, time.abs_diff(self.last_time));
        put_leb128(&mut self.raw, payload.len() as u64);
        self.raw.extend_from_slice(payload);
        (self.last, self.last_time) = (offset, time);
        self.records += 1;
    }

    /// Puts the block behind what is in `buffer`. The records stay until [`Gathering::clear`].
    pub(crate) fn seal(&self, seal: &Seal<'_>, buffer: &mut Vec<u8>) -> BlockHeader {
        const BOUNDED: &str = "a record is below the largest block, and filters are bounded";
        assert!(!self.is_empty(), "a block has records");
        let start = buffer.len();
        buffer.resize(start + BLOCK_HEADER, 0);
        buffer.extend_from_slice(seal.filter);
        let body = buffer.len();
        let coding = match zstd::bulk::compress(&self.raw, LEVEL) {
            Ok(packed) if packed.len() < self.raw.len() => {
                buffer.extend_from_slice(&packed);
                ZSTD
            }
            // Also when there is no memory for packing.
            Ok(_) | Err(_) => {
                buffer.extend_from_slice(&self.raw);
                RAW
            }
        };
        let header = BlockHeader {
            body_sum: seal.seed.checksum(&buffer[start + BLOCK_HEADER..]),
            body_len: u32::try_from(buffer.len() - body).expect(BOUNDED),
            raw_len: u32::try_from(self.raw.len()).expect(BOUNDED),
            records: self.records,
            first: self.first,
            last: self.last,
            first_time: self.first_time,
            last_time: self.last_time,
            number: seal.number,
            filter_len: u32::try_from(seal.filter.len()).expect(BOUNDED),
            coding,
        };
        buffer[start..start + BLOCK_HEADER].copy_from_slice(&header.encode(seal.seed));
        header
    }

    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.records = 0;
    }
}

/// A whole block: its header, its filter and its records. It agrees with what the index says.
pub(crate) fn decode(
    bytes: &[u8],
    seed: Seed,
    entry: &BlockEntry,
) -> Result<Vec<ChainRecord>, BlockError> {
    let header = BlockHeader::decode(bytes, seed)?;
    let (filter_at, filter_len) = (entry.filter_at, entry.filter_len);
    let own = BlockEntry { filter_at, filter_len, ..header.entry(entry.position) };
    if own != *entry {
        return Err(BlockError::Index);
    }
    let rest = bytes.get(BLOCK_HEADER..).filter(|_| bytes.len() as u64 == header.len());
    let (_filter, body) = header.parts(rest.ok_or(BlockError::Long)?, seed)?;
    header.records(body)
}

/// The filter that stands in a block whose checksum has matched.
pub(crate) fn own_filter(filter: &[u8]) -> FilterBytes {
    FilterBytes(Bytes::copy_from_slice(filter))
}

fn put_leb128(bytes: &mut Vec<u8>, mut number: u64) {
    while 0x7F < number {
        bytes.push(u8::try_from(number & 0x7F).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn leb128(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let bits = u64::from(byte & 0x7F);
        // Of the tenth byte only one bit has room.
        if bits >> (64 - shift).min(63) != 0 {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
