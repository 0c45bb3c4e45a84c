//! The hash table from keys to atoms, one for all fields.
//!
//! # Invariants
//!
//! - A key is compared whole: a hash alone never decides.
//! - Atoms with one key are a chain behind one slot, so that they do not crowd the table.

use super::hash::Probe;
use super::{index, small};

/// An entry of a field's list, by number.
pub(super) type Atom = u32;

const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Twice as many as keys or more, a power of two.
    slots: Vec<Slot>,
    keys: Vec<Key>,
    /// What keys have behind their first 16 bytes.
    rests: Vec<u8>,
}

/// A slot without a key has [`NONE`].
#[derive(Copy, Clone, Debug)]
struct Slot {
    hash: u32,
    key: u32,
}

#[derive(Debug)]
struct Key {
    seed: u64,
    low: u64,
    high: u64,
    len: u32,
    rest: u32,
    /// The next key that is equal.
    same: u32,
    hit: Hit,
}

/// What a key leads to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) atom: Atom,
    /// Nothing has to be asked any more.
    pub(super) is_all: bool,
}

impl Table {
    /// An empty table with room for `keys`.
    pub(super) fn new(keys: usize) -> Self {
        let slots = (2 * keys.max(1)).next_power_of_two();
        let empty = Slot { hash: 0, key: NONE };
        Self { slots: vec![empty; slots], keys: Vec::with_capacity(keys), rests: Vec::new() }
    }

    pub(super) fn insert(&mut self, seed: u64, probe: &Probe<'_>, hit: Hit) {
        let number = small(self.keys.len());
        assert!(2 * index(number) < self.slots.len(), "there is room for this many keys");
        let (mut at, short) = self.first_slot(probe.hash(seed));
        while self.slots[at].key != NONE {
            if self.slots[at].hash == short && self.is(self.slots[at].key, seed, probe) {
                break;
            }
            at = self.slot_after(at);
        }
        let same = self.slots[at].key;
        self.slots[at] = Slot { hash: short, key: number };
        let rest = small(self.rests.len());
        let Probe { low, high, len, .. } = *probe;
        self.keys.push(Key { seed, low, high, len: small(len), rest, same, hit });
        self.rests.extend_from_slice(probe.rest);
    }

    /// What a key leads to.
    #[inline]
    pub(super) fn find(&self, seed: u64, probe: &Probe<'_>) -> impl Iterator<Item = Hit> {
        let mut next = self.first(seed, probe);
        std::iter::from_fn(move || {
            let key = self.keys.get(index(next))?;
            next = key.same;
            Some(key.hit)
        })
    }

    /// The table is so large that looking something up is waiting for memory.
    pub(super) fn is_large(&self) -> bool {
        1 << 14 < self.slots.len()
    }

    /// Looks where a key may be, so that it is on its way; the result means nothing.
    #[inline]
    pub(super) fn touch(&self, seed: u64, probe: &Probe<'_>) -> u64 {
        let (at, _) = self.first_slot(probe.hash(seed));
        let key = index(self.slots[at].key).min(self.keys.len().saturating_sub(1));
        self.keys.get(key).map_or(0, |key| key.low)
    }

    #[inline]
    fn first(&self, seed: u64, probe: &Probe<'_>) -> u32 {
        let (mut at, short) = self.first_slot(probe.hash(seed));
        loop {
            let slot = self.slots[at];
            if slot.key == NONE || slot.hash == short && self.is(slot.key, seed, probe) {
                return slot.key;
            }
            at = self.slot_after(at);
        }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a hash")]
    fn first_slot(&self, hash: u64) -> (usize, u32) {
        (index((hash >> 32) as u32) & (self.slots.len() - 1), hash as u32)
    }

    #[inline(always)]
    fn slot_after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    #[inline(always)]
    fn is(&self, number: u32, seed: u64, probe: &Probe<'_>) -> bool {
        let key = &self.keys[index(number)];
        key.low == probe.low
            && key.high == probe.high
            && key.seed == seed
            && index(key.len) == probe.len
            && (probe.rest.is_empty() || self.rest(key) == probe.rest)
    }

    fn rest(&self, key: &Key) -> &[u8] {
        let start = index(key.rest);
        &self.rests[start..start + index(key.len) - 16]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.keys.capacity() * size_of::<Key>()
            + self.rests.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_leads_to_its_own_atoms() {
        let keys: Vec<String> = (0..1_000)
            .map(|at| format!("key {at}{}", if at % 2 == 0 { "" } else { ", which is longer" }))
            .collect();
        let hit = |atom| Hit { atom, is_all: atom % 3 == 0 };
        let mut table = Table::new(3 * keys.len());
        for (atom, key) in (0..).zip(&keys) {
            let probe = Probe::new(key.as_bytes());
            table.insert(1, &probe, hit(atom));
            table.insert(2, &probe, hit(atom + 10_000));
            table.insert(2, &probe, hit(atom + 20_000));
        }
        let found =
            |seed, key: &str| table.find(seed, &Probe::new(key.as_bytes())).collect::<Vec<_>>();
        for (atom, key) in (0..).zip(&keys) {
            assert_eq!(found(1, key), [hit(atom)]);
            assert_eq!(found(2, key), [hit(atom + 20_000), hit(atom + 10_000)]);
            assert_eq!(found(3, key), []);
        }
        assert_eq!(found(1, "key 1000"), []);
        assert_eq!(found(1, "key 1, which is longed"), []);
    }
}
