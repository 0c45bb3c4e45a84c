//! The bytes of one group commit.
//!
//! ```text
//! frame  = "SLFR"  checksum: u32  body sum: u32  body length: u32  first offset: u64  time: i64
//!          records: u32  buses: u16  flags: u16  body  zeroes to the next 4 KiB
//! body   = buses × (length: u8  name)  records × (bus: u16  length: u32  payload)
//! ```
//!
//! Checksums are seeded with the store's id and the segment's epoch; `docs/journal-format.md` is
//! normative.
//!
//! # Invariants
//!
//! - `decode(encode(group)) == group`.
//! - Decoding reads hostile bytes: it returns an error, it never panics, and it allocates no more
//!   than it was given.
//! - Every byte but the padding is covered by a checksum.
//!
//! # Not here
//!
//! - What a bad frame means: `recovery` decides, because only it knows what comes after.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Offset,
    group::Group,
    layout::{PAGE, Seed, take},
};

/// The length of [`Header`] in a file.
pub(crate) const HEADER_LEN: u64 = HEADER as u64;
/// What a lone record takes besides its payload, at most.
pub(crate) const RECORD_OVERHEAD_MAX: usize = RECORD_HEADER + 1 + BUS_NAME_MAX;
pub(crate) const BUS_NAME_MAX: usize = 255;

const HEADER: usize = 40;
const RECORD_HEADER: usize = 6;
const MAGIC: [u8; 4] = *b"SLFR";
const FLAG_LOST: u16 = 1;

/// One record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    /// Milliseconds since the Unix epoch; the same for all records of a group, never less than the
    /// record's before.
    pub time: i64,
    pub bus: Arc<str>,
    /// Shares the memory of its frame: who keeps it for long keeps the frame, unless he copies it.
    pub payload: Bytes,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) body_sum: u32,
    pub(crate) body_len: u32,
    pub(crate) first: Offset,
    pub(crate) time: i64,
    pub(crate) records: u32,
    pub(crate) buses: u16,
    /// The records are lost, and a repair has said so: in the body is what it found in their place.
    pub(crate) lost: bool,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("no frame begins there")]
    Absent,
    #[error("the checksum of the frame's header does not match")]
    Header,
    #[error("the frame is longer than what is left of the segment")]
    Long,
    #[error("the checksum of the frame's body does not match")]
    Body,
    #[error("the frame's checksums match, but {0}")]
    Nonsense(&'static str),
}

impl Header {
    pub(crate) fn decode(bytes: &[u8], seed: Seed) -> Result<Self, FrameError> {
        let Some(bytes) = bytes.first_chunk::<HEADER>() else { return Err(FrameError::Absent) };
        if take(bytes, 0) != MAGIC {
            return Err(FrameError::Absent);
        }
        if u32::from_le_bytes(take(bytes, 4)) != seed.checksum(&bytes[8..]) {
            return Err(FrameError::Header);
        }
        let header = Self {
            body_sum: u32::from_le_bytes(take(bytes, 8)),
            body_len: u32::from_le_bytes(take(bytes, 12)),
            first: Offset::new(u64::from_le_bytes(take(bytes, 16))),
            time: i64::from_le_bytes(take(bytes, 24)),
            records: u32::from_le_bytes(take(bytes, 32)),
            buses: u16::from_le_bytes(take(bytes, 36)),
            lost: u16::from_le_bytes(take(bytes, 38)) == FLAG_LOST,
        };
        if !header.lost && u16::from_le_bytes(take(bytes, 38)) != 0 {
            return Err(FrameError::Nonsense("it has flags that are not known"));
        }
        if header.records == 0 && !header.lost {
            return Err(FrameError::Nonsense("it has no records"));
        }
        Ok(header)
    }

    pub(crate) fn encode(&self, seed: Seed) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.body_sum.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.get().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.time.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.records.to_le_bytes());
        bytes[36..38].copy_from_slice(&self.buses.to_le_bytes());
        let flags = if self.lost { FLAG_LOST } else { 0 };
        bytes[38..40].copy_from_slice(&flags.to_le_bytes());
        let checksum = seed.checksum(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The length of the frame in the file, with its padding.
    pub(crate) fn frame_len(&self) -> u64 {
        frame_len(self.body_len.into())
    }

    /// The offset behind the frame's last record.
    pub(crate) fn end(&self) -> Offset {
        self.first.plus(self.records.into())
    }

    pub(crate) fn check_body(&self, body: &[u8], seed: Seed) -> Result<(), FrameError> {
        if seed.checksum(body) == self.body_sum { Ok(()) } else { Err(FrameError::Body) }
    }
}

/// The length of a frame in the file, with its padding.
pub(crate) fn frame_len(body_len: u64) -> u64 {
    (HEADER_LEN + body_len).next_multiple_of(PAGE)
}

pub(crate) fn table_entry_len(bus: &str) -> usize {
    1 + bus.len()
}

pub(crate) fn record_len(payload_len: usize) -> usize {
    RECORD_HEADER + payload_len
}

/// Replaces what is in `buffer` by the group's frame, padded.
pub(crate) fn encode(
    group: &Group,
    first: Offset,
    time: i64,
    seed: Seed,
    buffer: &mut Vec<u8>,
) -> Header {
    const CHECKED: &str = "sizes are checked before a batch gets into a group";
    buffer.clear();
    buffer.resize(HEADER, 0);
    for bus in &group.buses {
        buffer.push(u8::try_from(bus.len()).expect(CHECKED));
        buffer.extend_from_slice(bus.as_bytes());
    }
    for (bus, payloads) in &group.batches {
        for payload in payloads {
            buffer.extend_from_slice(&bus.to_le_bytes());
            buffer.extend_from_slice(&u32::try_from(payload.len()).expect(CHECKED).to_le_bytes());
            buffer.extend_from_slice(payload);
        }
    }
    assert_eq!(buffer.len(), HEADER + group.body_len, "a group knows its length");

    let header = Header {
        body_sum: seed.checksum(&buffer[HEADER..]),
        body_len: u32::try_from(group.body_len).expect(CHECKED),
        first,
        time,
        records: group.records,
        buses: u16::try_from(group.buses.len()).expect(CHECKED),
        lost: false,
    };
    buffer[..HEADER].copy_from_slice(&header.encode(seed));
    buffer.resize(
        usize::try_from(header.frame_len()).expect("a frame fits in memory: it is there"),
        0,
    );
    header
}

/// The records of a body whose checksum has matched. They share its memory. There are none when
/// they are lost.
pub(crate) fn decode(header: &Header, body: &Bytes) -> Result<Vec<Record>, FrameError> {
    if header.lost {
        return Ok(Vec::new());
    }
    let mut rest = Rest { body, at: 0 };
    // At least one byte each: hostile counts cannot ask for more than the body's length.
    let mut buses: Vec<Arc<str>> = Vec::with_capacity(usize::from(header.buses).min(body.len()));
    for _ in 0..header.buses {
        let [length] = rest.array()?;
        let name = std::str::from_utf8(rest.bytes(length.into())?);
        buses.push(name.or(Err(FrameError::Nonsense("a bus name is not UTF-8")))?.into());
    }
    let count = usize::try_from(header.records).unwrap_or(usize::MAX);
    let mut records = Vec::with_capacity(count.min(body.len() / RECORD_HEADER));
    for number in 0..header.records {
        let bus = buses.get(usize::from(u16::from_le_bytes(rest.array()?)));
        let bus =
            bus.ok_or(FrameError::Nonsense("a record names a bus that is not in its table"))?;
        let length = u32::from_le_bytes(rest.array()?);
        let start = rest.at;
        let payload_len = rest.bytes(usize::try_from(length).unwrap_or(usize::MAX))?.len();
        records.push(Record {
            offset: header.first.plus(number.into()),
            time: header.time,
            bus: Arc::clone(bus),
            payload: body.slice(start..start + payload_len),
        });
    }
    if rest.at == body.len() {
        Ok(records)
    } else {
        Err(FrameError::Nonsense("something follows its last record"))
    }
}

/// What is left of a body.
struct Rest<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let end = self.at.checked_add(length);
        let bytes = end.and_then(|end| self.body.get(self.at..end));
        let bytes = bytes.ok_or(FrameError::Nonsense("its body ends too early"))?;
        self.at += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        Ok(take(self.bytes(N)?, 0))
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
