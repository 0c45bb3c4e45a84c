//! What stands before the frames: the `store` file and the header of a segment.
//!
//! ```text
//! store   = "SLIPSTOR"   version: u32  checksum: u32  store id: [u8; 16]
//!           first epoch: u64  sealed to: u64  sealed time: i64  zero: [u8; 8]
//! segment = "SLIPHOT\0"  version: u32  checksum: u32  store id: [u8; 16]
//!           epoch: u64  size: u64  used before: u64  zero …
//! ```
//!
//! `docs/journal-format.md` is normative.
//!
//! # Invariants
//!
//! - Decoding reads hostile bytes: it returns an error, it never panics.
//! - The version is looked at before the checksum, so that a newer format is told from damage.

use crate::Offset;

/// Frames, headers and segment sizes are multiples of this.
pub(crate) const PAGE: u64 = PAGE_LEN as u64;
pub(crate) const PAGE_LEN: usize = 4096;
pub(crate) const VERSION: u32 = 1;
/// Of `store`; version 1 knew of no sealed segments.
pub(crate) const STORE_VERSION: u32 = 2;
/// The length of both headers without the zeroes that follow a segment's.
pub(crate) const HEADER_LEN: usize = 64;
pub(crate) const STORE_NAME: &str = "store";

const STORE_MAGIC: [u8; 8] = *b"SLIPSTOR";
const SEGMENT_MAGIC: [u8; 8] = *b"SLIPHOT\0";
const SEGMENT_SUFFIX: &str = ".hot";
const UNFINISHED_SUFFIX: &str = ".new";

pub(crate) type StoreId = [u8; 16];

/// The start of every checksum of one segment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(store_id: &StoreId, epoch: u64) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(store_id), &epoch.to_le_bytes()))
    }

    #[cfg(test)]
    pub(crate) const fn for_test() -> Self {
        Self(7)
    }

    pub(crate) fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// The journal's identity.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) id: StoreId,
    /// The oldest segment there must be.
    pub(crate) first_epoch: u64,
    /// Records below are in sealed segments.
    pub(crate) sealed_to: Offset,
    /// The time of the last record below `sealed_to`.
    pub(crate) sealed_time: i64,
}

/// One use of one segment file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store_id: StoreId,
    pub(crate) epoch: u64,
    pub(crate) size: u64,
    /// The file has had an earlier epoch: behind the frames of this one there may be anything.
    pub(crate) used_before: bool,
}

/// Why bytes are not a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("format version {found} is newer")]
    Newer { found: u32 },
    #[error("{0}")]
    Bad(&'static str),
}

impl Store {
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[16..32].copy_from_slice(&self.id);
        bytes[32..40].copy_from_slice(&self.first_epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.sealed_to.get().to_le_bytes());
        bytes[48..56].copy_from_slice(&self.sealed_time.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[16..]);
        seal(&mut bytes, STORE_MAGIC, STORE_VERSION, checksum);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let (bytes, checksum) = open(bytes, STORE_MAGIC, STORE_VERSION)?;
        if checksum != crc32c::crc32c(&bytes[16..]) {
            return Err(HeaderError::Bad("the checksum does not match"));
        }
        Ok(Self {
            id: take(bytes, 16),
            first_epoch: u64::from_le_bytes(take(bytes, 32)),
            // Version 1 has zeroes here, which say the same: nothing is sealed.
            sealed_to: Offset::new(u64::from_le_bytes(take(bytes, 40))),
            sealed_time: i64::from_le_bytes(take(bytes, 48)),
        })
    }
}

impl SegmentHeader {
    pub(crate) fn seed(&self) -> Seed {
        Seed::new(&self.store_id, self.epoch)
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[16..32].copy_from_slice(&self.store_id);
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.size.to_le_bytes());
        bytes[48..56].copy_from_slice(&u64::from(self.used_before).to_le_bytes());
        let checksum = self.seed().checksum(&bytes[16..]);
        seal(&mut bytes, SEGMENT_MAGIC, VERSION, checksum);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let (bytes, checksum) = open(bytes, SEGMENT_MAGIC, VERSION)?;
        let header = Self {
            store_id: take(bytes, 16),
            epoch: u64::from_le_bytes(take(bytes, 32)),
            size: u64::from_le_bytes(take(bytes, 40)),
            used_before: u64::from_le_bytes(take(bytes, 48)) != 0,
        };
        if checksum != header.seed().checksum(&bytes[16..]) {
            return Err(HeaderError::Bad("the checksum of the header does not match"));
        }
        Ok(header)
    }
}

pub(crate) fn segment_name(epoch: u64) -> String {
    format!("{epoch:016}{SEGMENT_SUFFIX}")
}

/// The epoch of a segment's file name; `None` for other files.
pub(crate) fn segment_epoch(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let epoch = digits.parse().ok()?;
    (segment_name(epoch) == name).then_some(epoch)
}

/// The name under which a file is written before it counts.
pub(crate) fn unfinished(name: &str) -> String {
    format!("{name}{UNFINISHED_SUFFIX}")
}

pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED_SUFFIX).is_some_and(|name| {
        [STORE_NAME, crate::roll::NAME].contains(&name) || segment_epoch(name).is_some()
    })
}

/// `N` bytes at a place that the caller knows to be inside.
pub(crate) fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut taken = [0; N];
    taken.copy_from_slice(&bytes[at..at + N]);
    taken
}

fn seal(bytes: &mut [u8; HEADER_LEN], magic: [u8; 8], version: u32, checksum: u32) {
    bytes[0..8].copy_from_slice(&magic);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
}

fn open(
    bytes: &[u8],
    magic: [u8; 8],
    newest: u32,
) -> Result<(&[u8; HEADER_LEN], u32), HeaderError> {
    let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(HeaderError::Bad("the file ends inside its header"));
    };
    if take(bytes, 0) != magic {
        return Err(HeaderError::Bad("the file does not begin as a journal's file does"));
    }
    match u32::from_le_bytes(take(bytes, 8)) {
        found if newest < found => Err(HeaderError::Newer { found }),
        found if 0 < found => Ok((bytes, u32::from_le_bytes(take(bytes, 12)))),
        _ => Err(HeaderError::Bad("there is no such format version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader =
        SegmentHeader { store_id: [7; 16], epoch: 3, size: 8192, used_before: true };
    const STORE: Store =
        Store { id: [7; 16], first_epoch: 3, sealed_to: Offset::new(77), sealed_time: -5 };

    #[test]
    fn headers_come_back_as_they_were() {
        assert_eq!(SegmentHeader::decode(&HEADER.encode()), Ok(HEADER));
        assert_eq!(Store::decode(&STORE.encode()), Ok(STORE));
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_header_is_noticed() {
        for bit in 0..HEADER_LEN * 8 {
            let (mut segment, mut store) = (HEADER.encode(), STORE.encode());
            segment[bit / 8] ^= 1 << (bit % 8);
            store[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&segment).is_err(), "bit {bit} of a segment's header");
            assert!(Store::decode(&store).is_err(), "bit {bit} of the store");
        }
    }

    #[test]
    fn a_store_of_version_1_has_sealed_nothing() {
        let mut bytes =
            Store { first_epoch: 1, sealed_to: Offset::ZERO, sealed_time: 0, ..STORE }.encode();
        bytes[8] = 1;
        let store = Store::decode(&bytes).unwrap();
        assert_eq!((store.first_epoch, store.sealed_to), (1, Offset::ZERO));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = HEADER.encode();
        bytes[8] = 2;
        bytes[20] = 99; // What a later version does with the rest is its own affair.
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Newer { found: 2 }));
    }

    #[test]
    fn only_segments_are_named_like_segments() {
        assert_eq!(segment_epoch(&segment_name(42)), Some(42));
        for name in [
            "42.hot",
            "000000000000004x.hot",
            "+000000000000042.hot",
            "0000000000000042.hot.new",
            "store",
            "lock",
        ] {
            assert_eq!(segment_epoch(name), None, "{name}");
        }
        assert!(
            is_unfinished("0000000000000042.hot.new")
                && is_unfinished("store.new")
                && !is_unfinished("notes.new")
        );
    }
}
