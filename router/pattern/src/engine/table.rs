//! The hash table from keys to atoms, one for all fields.
//!
//! # Invariants
//!
//! - A key is compared whole: a hash alone never decides.
//! - Atoms with one key are a chain behind one slot, so that they do not crowd the table.

use super::hash::hash;
use super::{index, small};

/// An entry of a field's list, by number.
pub(super) type Atom = u32;

const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Twice as many as keys or more, a power of two.
    slots: Vec<Slot>,
    keys: Vec<Key>,
    bytes: Vec<u8>,
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
    start: u32,
    len: u32,
    atom: Atom,
    /// The next key with the same bytes.
    same: u32,
}

impl Table {
    /// An empty table with room for `keys`.
    pub(super) fn new(keys: usize) -> Self {
        let slots = (2 * keys.max(1)).next_power_of_two();
        let empty = Slot { hash: 0, key: NONE };
        Self { slots: vec![empty; slots], keys: Vec::with_capacity(keys), bytes: Vec::new() }
    }

    pub(super) fn insert(&mut self, seed: u64, key: &[u8], atom: Atom) {
        let number = small(self.keys.len());
        assert!(2 * index(number) < self.slots.len(), "there is room for this many keys");
        let (mut at, short) = self.first_slot(hash(seed, key));
        while self.slots[at].key != NONE {
            if self.slots[at].hash == short && self.is(self.slots[at].key, seed, key) {
                break;
            }
            at = self.slot_after(at);
        }
        let same = self.slots[at].key;
        self.slots[at] = Slot { hash: short, key: number };
        let start = small(self.bytes.len());
        self.keys.push(Key { seed, start, len: small(key.len()), atom, same });
        self.bytes.extend_from_slice(key);
    }

    /// The atoms of a key.
    #[inline]
    pub(super) fn find(&self, seed: u64, key: &[u8]) -> impl Iterator<Item = Atom> {
        let mut next = self.first(seed, key);
        std::iter::from_fn(move || {
            let key = self.keys.get(index(next))?;
            next = key.same;
            Some(key.atom)
        })
    }

    #[inline]
    fn first(&self, seed: u64, key: &[u8]) -> u32 {
        let (mut at, short) = self.first_slot(hash(seed, key));
        loop {
            let slot = self.slots[at];
            if slot.key == NONE || slot.hash == short && self.is(slot.key, seed, key) {
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
    fn is(&self, number: u32, seed: u64, bytes: &[u8]) -> bool {
        let key = &self.keys[index(number)];
        let start = index(key.start);
        key.seed == seed && self.bytes[start..start + index(key.len)] == *bytes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.keys.capacity() * size_of::<Key>()
            + self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_leads_to_its_own_atoms() {
        let keys: Vec<String> = (0..1_000).map(|at| format!("key {at}")).collect();
        let mut table = Table::new(3 * keys.len());
        for (atom, key) in (0..).zip(&keys) {
            table.insert(1, key.as_bytes(), atom);
            table.insert(2, key.as_bytes(), atom + 10_000);
            table.insert(2, key.as_bytes(), atom + 20_000);
        }
        for (atom, key) in (0..).zip(&keys) {
            let found = |seed| table.find(seed, key.as_bytes()).collect::<Vec<_>>();
            assert_eq!(found(1), [atom]);
            assert_eq!(found(2), [atom + 20_000, atom + 10_000]);
            assert_eq!(found(3), [0; 0]);
        }
        assert_eq!(table.find(1, b"key 1000").count() + table.find(1, b"key").count(), 0);
    }
}
