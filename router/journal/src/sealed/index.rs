//! Where the blocks of a sealed segment are.
//!
//! # Invariants
//!
//! - Entries are in the order of the blocks, which follow one another without gaps.
//! - `decode(encode(entries)) == entries`.

use crate::{Offset, layout::take};

pub(super) const ENTRY: usize = 64;

/// One block, as the index knows it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// The block's place among those of its file. Not in the index: there it is the entry's.
    pub(crate) number: u32,
    pub(crate) position: u64,
    /// Of the whole block in the file.
    pub(crate) length: u32,
    pub(crate) raw_len: u32,
    pub(crate) records: u32,
    pub(crate) first: Offset,
    pub(crate) last: Offset,
    pub(crate) first_time: i64,
    pub(crate) last_time: i64,
    /// In the filters; nothing is known when the length is 0.
    pub(crate) filter_at: u32,
    pub(crate) filter_len: u32,
}

impl BlockEntry {
    pub(crate) fn end(&self) -> u64 {
        self.position.saturating_add(self.length.into())
    }
}

pub(super) fn encode(entries: &[BlockEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY);
    for entry in entries {
        bytes.extend_from_slice(&entry.position.to_le_bytes());
        for number in [entry.length, entry.raw_len, entry.records, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for offset in [entry.first, entry.last] {
            bytes.extend_from_slice(&offset.get().to_le_bytes());
        }
        for time in [entry.first_time, entry.last_time] {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        for number in [entry.filter_at, entry.filter_len] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes
}

/// The entries of an index whose checksum has matched; `None` when they contradict each other or
/// what surrounds them.
pub(super) fn decode(bytes: &[u8], start: u64, end: u64, filters: u32) -> Option<Vec<BlockEntry>> {
    let (chunks, rest) = bytes.as_chunks::<ENTRY>();
    let entries = (0..).zip(chunks).map(|(number, bytes)| decode_one(number, bytes));
    let entries: Vec<_> = entries.collect::<Option<_>>()?;
    let mut next = start;
    for (number, entry) in entries.iter().enumerate() {
        let before = number.checked_sub(1).map(|number| &entries[number]);
        let follows = before
            .is_none_or(|before| before.last < entry.first && before.last_time <= entry.first_time);
        let sound = follows
            && entry.position == next
            && entry.first <= entry.last
            && entry.first_time <= entry.last_time
            && entry.filter_at.checked_add(entry.filter_len).is_some_and(|end| end <= filters);
        if !sound {
            return None;
        }
        next = entry.end();
    }
    (rest.is_empty() && next == end).then_some(entries)
}

fn decode_one(number: u32, bytes: &[u8; ENTRY]) -> Option<BlockEntry> {
    let short = |at| u32::from_le_bytes(take(bytes, at));
    let long = |at| u64::from_le_bytes(take(bytes, at));
    (short(20) == 0).then(|| BlockEntry {
        number,
        position: long(0),
        length: short(8),
        raw_len: short(12),
        records: short(16),
        first: Offset::new(long(24)),
        last: Offset::new(long(32)),
        first_time: i64::from_le_bytes(take(bytes, 40)),
        last_time: i64::from_le_bytes(take(bytes, 48)),
        filter_at: short(56),
        filter_len: short(60),
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn entries(steps: &[(u32, u32, u32)]) -> Vec<BlockEntry> {
        let (mut position, mut offset) = (64, 0);
        let each = steps.iter().map(|(length, records, gap)| {
            let first = offset + u64::from(*gap);
            let last = first + u64::from(*records);
            let entry = BlockEntry {
                number: 0,
                position,
                length: *length,
                raw_len: 3 * records,
                records: *records,
                first: Offset::new(first),
                last: Offset::new(last),
                first_time: i64::from(*gap) - 5,
                last_time: i64::MAX,
                filter_at: 7,
                filter_len: 3,
            };
            position = entry.end();
            offset = last + 1;
            entry
        });
        let mut entries: Vec<_> = each.collect();
        let count = i64::try_from(entries.len()).unwrap();
        for (number, entry) in (0..count).zip(&mut entries) {
            entry.number = u32::try_from(number).unwrap();
            (entry.first_time, entry.last_time) = (2 * number, 2 * number + 1);
        }
        entries
    }

    proptest! {
        #[test]
        fn an_index_comes_back_as_it_was(steps in vec((1..900_u32, 1..50_u32, 0..9_u32), 0..20)) {
            let entries = entries(&steps);
            let end = entries.last().map_or(64, BlockEntry::end);
            let bytes = encode(&entries);
            prop_assert_eq!(decode(&bytes, 64, end, 10), Some(entries.clone()));
            prop_assert_eq!(decode(&bytes, 64, end + 1, 10), None);
            if !entries.is_empty() {
                prop_assert_eq!(decode(&bytes, 64, end, 9), None);
                prop_assert_eq!(decode(&bytes[1..], 64, end, 10), None);
            }
        }

        #[test]
        fn a_hostile_index_is_an_error_and_no_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _decoded = decode(&bytes, 64, 1000, 10);
        }
    }
}
