//! What is known of a block without reading it: the values of its fields and a bloom filter over
//! its keys.
//!
//! ```text
//! filter = fields: u8  fields × (field: u8  values: u8  values × (length: u8  bytes))
//!          words: u32  words × u64
//! ```
//!
//! # Invariants
//!
//! - A filter never denies what a record of its block was given.
//! - bounded: beyond [`VALUES_MAX`] and [`KEYS_MAX`] a filter says "any".

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::{Range, RangeInclusive},
};

use bytes::Bytes;

use super::{bloom, index::BlockEntry};
use crate::{Offset, layout::take};

/// The most values of one field that a block's filter lists.
const VALUES_MAX: usize = 64;
/// The most different keys that a block's bloom filter is made for.
const KEYS_MAX: usize = 1 << 16;
/// The most fields; those beyond are dropped whole, and then no field's absence means anything.
const FIELDS_MAX: usize = 16;
const ANY_VALUE: u8 = u8::MAX;
const ANY_KEY: u32 = u32::MAX;

/// What a record is found by. It is handed to whoever knows what a payload means.
#[derive(Debug, Default)]
pub struct Keys {
    keys: HashSet<u64, Mixed>,
    keys_overflow: bool,
    /// `None`: any.
    values: BTreeMap<u8, Option<BTreeSet<Box<[u8]>>>>,
}

/// Keys are hashes already.
type Mixed = std::hash::BuildHasherDefault<KeyHasher>;

#[derive(Debug, Default)]
struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Keys {
    /// The record is found by this hash.
    pub fn key(&mut self, hash: u64) {
        if self.keys_overflow {
            return;
        }
        self.keys.insert(hash);
        if KEYS_MAX < self.keys.len() {
            self.keys_overflow = true;
            self.keys.clear();
        }
    }

    /// The record has this value in a numbered field. At most 16 fields are kept.
    pub fn value(&mut self, field: u8, value: &[u8]) {
        if FIELDS_MAX <= self.values.len() && !self.values.contains_key(&field) {
            debug_assert!(false, "more than {FIELDS_MAX} fields");
            return;
        }
        let values = self.values.entry(field).or_insert_with(|| Some(BTreeSet::new()));
        let Some(known) = values else { return };
        if known.contains(value) {
            return;
        }
        if VALUES_MAX <= known.len() || usize::from(u8::MAX) < value.len() {
            *values = None;
        } else {
            known.insert(value.into());
        }
    }

    /// Forgets everything, for the next block.
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.keys_overflow = false;
        self.values.clear();
    }
}

/// A filter as it is in the file. Empty: nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterBytes(pub(crate) Bytes);

pub(crate) fn encode(keys: &Keys) -> FilterBytes {
    const BOUNDED: &str = "it is bounded by a constant";
    let mut bytes = vec![u8::try_from(keys.values.len()).expect(BOUNDED)];
    for (field, values) in &keys.values {
        bytes.push(*field);
        match values {
            None => bytes.push(ANY_VALUE),
            Some(values) => {
                bytes.push(u8::try_from(values.len()).expect(BOUNDED));
                for value in values {
                    bytes.push(u8::try_from(value.len()).expect(BOUNDED));
                    bytes.extend_from_slice(value);
                }
            }
        }
    }
    if keys.keys_overflow {
        bytes.extend_from_slice(&ANY_KEY.to_le_bytes());
    } else {
        let words = bloom::build(keys.keys.iter().copied());
        bytes.extend_from_slice(&u32::try_from(words.len()).expect(BOUNDED).to_le_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    FilterBytes(bytes.into())
}

impl FilterBytes {
    /// Whether a reader could make sense of every byte.
    pub(crate) fn is_sound(&self) -> bool {
        self.0.is_empty() || self.bloom_start().is_some()
    }

    fn may_hold_key(&self, key: u64) -> bool {
        let Some(start) = self.bloom_start() else { return true };
        let words = &self.0[start..];
        match u32::from_le_bytes(take(words, 0)) {
            ANY_KEY => true,
            _ => bloom::may_hold(&words[4..], key),
        }
    }

    fn may_hold_value(&self, field: u8, wanted: &[u8]) -> bool {
        let mut found = false;
        let end = self.fields(&mut |seen, value| {
            found |= seen == field && value.is_none_or(|value| value == wanted);
        });
        found || end.is_none()
    }

    /// Where the number of words stands, when the rest is as long as it says.
    fn bloom_start(&self) -> Option<usize> {
        let start = self.fields(&mut |_field, _value| ())?;
        let rest = self.0.get(start..)?;
        let words = u32::from_le_bytes(*rest.first_chunk()?);
        let length =
            if words == ANY_KEY { 0 } else { usize::try_from(words).ok()?.checked_mul(8)? };
        (rest.len().checked_sub(4)? == length).then_some(start)
    }

    /// Names every value; any value is `None`. Returns where the fields end, `None` when they do
    /// not make sense.
    fn fields(&self, each: &mut dyn FnMut(u8, Option<&[u8]>)) -> Option<usize> {
        let bytes = &self.0[..];
        let mut at = 1;
        for _ in 0..*bytes.first()? {
            let (field, values) = (*bytes.get(at)?, *bytes.get(at + 1)?);
            at += 2;
            if values == ANY_VALUE {
                each(field, None);
                continue;
            }
            for _ in 0..values {
                let start = at + 1;
                at = start + usize::from(*bytes.get(at)?);
                each(field, Some(bytes.get(start..at)?));
            }
        }
        Some(at)
    }
}

/// What is known of a block without reading it.
#[derive(Debug)]
pub struct Summary<'a> {
    entry: &'a BlockEntry,
    filter: &'a FilterBytes,
}

impl<'a> Summary<'a> {
    pub(crate) fn new(entry: &'a BlockEntry, filter: &'a FilterBytes) -> Self {
        Self { entry, filter }
    }

    /// From the first record's to behind the last record's.
    pub fn offsets(&self) -> Range<Offset> {
        self.entry.first..self.entry.last.next()
    }

    pub fn times(&self) -> RangeInclusive<i64> {
        self.entry.first_time..=self.entry.last_time
    }

    pub fn records(&self) -> u32 {
        self.entry.records
    }

    /// `false`: no record of the block was given this key.
    pub fn may_hold_key(&self, key: u64) -> bool {
        self.filter.may_hold_key(key)
    }

    /// `false`: no record of the block was given this value in this field.
    pub fn may_hold_value(&self, field: u8, value: &[u8]) -> bool {
        self.filter.may_hold_value(field, value)
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
