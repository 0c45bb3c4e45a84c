//! What stands at the two ends of a sealed segment, and the names of the files.
//!
//! # Invariants
//!
//! - The version is looked at before the checksum, so that a newer format is told from damage.
//! - Every byte is covered by a checksum, or has one value only.

use crate::{
    Offset,
    layout::{HeaderError, Seed, take},
};

pub(crate) const FILE_HEADER: usize = 64;
pub(crate) const TRAILER: usize = 128;
pub(crate) const VERSION: u32 = 1;

const HEADER_MAGIC: [u8; 8] = *b"SLIPEVS\0";
const TRAILER_MAGIC: [u8; 8] = *b"SLIPEND\0";
const SUFFIX: &str = ".evs";
const DIGITS: usize = 20;

/// A file's place in its chain, as it is known from the first byte on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) chain_id: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) from: Offset,
}

/// What is known when the last block is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) index: Section,
    pub(crate) filters: Section,
    pub(crate) sequence: u64,
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    pub(crate) records: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) first: Offset,
    pub(crate) last: Offset,
    pub(crate) first_time: i64,
    pub(crate) last_time: i64,
    pub(crate) blocks: u32,
}

/// A part of the file with a checksum of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) position: u64,
    pub(crate) length: u32,
    pub(crate) sum: u32,
}

impl FileHeader {
    pub(crate) fn seed(&self) -> Seed {
        Seed::new(&self.chain_id, self.sequence)
    }

    pub(crate) fn encode(&self) -> [u8; FILE_HEADER] {
        let mut bytes = [0; FILE_HEADER];
        bytes[0..8].copy_from_slice(&HEADER_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.chain_id);
        bytes[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.from.get().to_le_bytes());
        let checksum = self.seed().checksum(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER>() else {
            return Err(HeaderError::Bad("the file ends inside its header"));
        };
        if take(bytes, 0) != HEADER_MAGIC {
            return Err(HeaderError::Bad("the file does not begin as a sealed segment does"));
        }
        check_version(u32::from_le_bytes(take(bytes, 8)))?;
        let header = Self {
            chain_id: take(bytes, 16),
            sequence: u64::from_le_bytes(take(bytes, 32)),
            from: Offset::new(u64::from_le_bytes(take(bytes, 40))),
        };
        if u32::from_le_bytes(take(bytes, 12)) != header.seed().checksum(&bytes[16..]) {
            return Err(HeaderError::Bad("the checksum of the header does not match"));
        }
        Ok(header)
    }
}

impl Trailer {
    pub(crate) fn encode(&self, seed: Seed) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        self.index.encode(&mut bytes[0..16]);
        self.filters.encode(&mut bytes[16..32]);
        let numbers = [
            self.sequence,
            self.from.get(),
            self.to.get(),
            self.records,
            self.raw_bytes,
            self.first.get(),
            self.last.get(),
        ];
        for (place, number) in bytes[32..88].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes[88..96].copy_from_slice(&self.first_time.to_le_bytes());
        bytes[96..104].copy_from_slice(&self.last_time.to_le_bytes());
        bytes[104..108].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[108..112].copy_from_slice(&VERSION.to_le_bytes());
        let checksum = seed.checksum(&bytes[0..112]);
        bytes[112..116].copy_from_slice(&checksum.to_le_bytes());
        bytes[120..128].copy_from_slice(&TRAILER_MAGIC);
        bytes
    }

    /// `length` is the whole file's.
    pub(crate) fn decode(
        bytes: &[u8; TRAILER],
        seed: Seed,
        length: u64,
    ) -> Result<Self, HeaderError> {
        if take(bytes, 120) != TRAILER_MAGIC || take(bytes, 116) != [0; 4] {
            return Err(HeaderError::Bad("the file does not end as a sealed segment does"));
        }
        check_version(u32::from_le_bytes(take(bytes, 108)))?;
        if u32::from_le_bytes(take(bytes, 112)) != seed.checksum(&bytes[0..112]) {
            return Err(HeaderError::Bad("the checksum of the trailer does not match"));
        }
        let number = |at| u64::from_le_bytes(take(bytes, at));
        let trailer = Self {
            index: Section::decode(&bytes[0..16]),
            filters: Section::decode(&bytes[16..32]),
            sequence: number(32),
            from: Offset::new(number(40)),
            to: Offset::new(number(48)),
            records: number(56),
            raw_bytes: number(64),
            first: Offset::new(number(72)),
            last: Offset::new(number(80)),
            first_time: i64::from_le_bytes(take(bytes, 88)),
            last_time: i64::from_le_bytes(take(bytes, 96)),
            blocks: u32::from_le_bytes(take(bytes, 104)),
        };
        let whole = trailer.index.position >= FILE_HEADER as u64
            && trailer.index.end() == Some(trailer.filters.position)
            && trailer.filters.end() == length.checked_sub(TRAILER as u64);
        if !whole {
            return Err(HeaderError::Bad("the trailer does not fit the length of the file"));
        }
        let ordered = trailer.from <= trailer.first
            && trailer.first <= trailer.last
            && trailer.last < trailer.to
            && trailer.first_time <= trailer.last_time
            && 0 < trailer.blocks;
        if !ordered {
            return Err(HeaderError::Bad("the trailer contradicts itself"));
        }
        Ok(trailer)
    }
}

impl Section {
    fn encode(&self, bytes: &mut [u8]) {
        bytes[0..8].copy_from_slice(&self.position.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.sum.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Self {
        Self {
            position: u64::from_le_bytes(take(bytes, 0)),
            length: u32::from_le_bytes(take(bytes, 8)),
            sum: u32::from_le_bytes(take(bytes, 12)),
        }
    }

    fn end(&self) -> Option<u64> {
        self.position.checked_add(self.length.into())
    }
}

/// The name of the sealed segment whose span begins at `from`.
pub(crate) fn segment_name(from: Offset) -> String {
    format!("{:0DIGITS$}{SUFFIX}", from.get())
}

/// The name while an appender writes it.
pub(crate) fn open_name(from: Offset) -> String {
    format!("{}.open", segment_name(from))
}

/// Where the span begins of the sealed segment with this name; `None` for other names.
pub(crate) fn segment_from(name: &str) -> Option<Offset> {
    let from = Offset::new(name.strip_suffix(SUFFIX)?.parse().ok()?);
    (segment_name(from) == name).then_some(from)
}

fn check_version(version: u32) -> Result<(), HeaderError> {
    match version {
        VERSION => Ok(()),
        found if VERSION < found => Err(HeaderError::Newer { found }),
        _ => Err(HeaderError::Bad("there is no such format version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FileHeader =
        FileHeader { chain_id: [7; 16], sequence: 3, from: Offset::new(8192) };

    fn trailer() -> Trailer {
        Trailer {
            index: Section { position: 1000, length: 64, sum: 1 },
            filters: Section { position: 1064, length: 36, sum: 2 },
            sequence: 3,
            from: Offset::new(8192),
            to: Offset::new(9000),
            records: 7,
            raw_bytes: 2000,
            first: Offset::new(8200),
            last: Offset::new(8999),
            first_time: -5,
            last_time: 5,
            blocks: 1,
        }
    }

    const LENGTH: u64 = 1100 + TRAILER as u64;

    #[test]
    fn both_ends_come_back_as_they_were() {
        assert_eq!(FileHeader::decode(&HEADER.encode()), Ok(HEADER));
        let bytes = trailer().encode(HEADER.seed());
        assert_eq!(Trailer::decode(&bytes, HEADER.seed(), LENGTH), Ok(trailer()));
        assert!(Trailer::decode(&bytes, HEADER.seed(), LENGTH + 1).is_err());
    }

    #[test]
    fn a_flipped_bit_anywhere_in_an_end_is_noticed() {
        for bit in 0..FILE_HEADER * 8 {
            let mut bytes = HEADER.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(FileHeader::decode(&bytes).is_err(), "bit {bit} of the header");
        }
        for bit in 0..TRAILER * 8 {
            let mut bytes = trailer().encode(HEADER.seed());
            bytes[bit / 8] ^= 1 << (bit % 8);
            let decoded = Trailer::decode(&bytes, HEADER.seed(), LENGTH);
            assert!(decoded.is_err(), "bit {bit} of the trailer");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = HEADER.encode();
        bytes[8] = 2;
        bytes[60] = 99;
        assert_eq!(FileHeader::decode(&bytes), Err(HeaderError::Newer { found: 2 }));
    }

    #[test]
    fn only_sealed_segments_are_named_like_them() {
        let name = segment_name(Offset::new(42));
        assert_eq!(name, "00000000000000000042.evs");
        assert_eq!(segment_from(&name), Some(Offset::new(42)));
        assert_eq!(segment_from(&segment_name(Offset::new(u64::MAX))), Some(Offset::new(u64::MAX)));
        for name in ["42.evs", "+0000000000000000042.evs", "00000000000000000042.evs.new", "chain"]
        {
            assert_eq!(segment_from(name), None, "{name}");
        }
    }
}
