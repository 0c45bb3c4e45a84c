//! The paths that patterns name, as a trie of keys.
//!
//! ```text
//! source, detail.total, detail.items.sku      root ─ source: field 0
//!                                                  └ detail ─ total: field 1
//!                                                           └ items ─ sku: field 2
//! ```
//!
//! Every dot in a path parts two keys, whether it was written as one dotted key or as nested objects,
//! in the pattern and in the event alike; so a dotted key of an event takes several steps at once.
//!
//! # Invariants
//!
//! - A field keeps its number when paths are added.

use std::collections::HashMap;

use super::hash::Probe;
use super::{index, small};
use crate::pattern::path_order;

/// A path by its number.
pub(super) type Field = u32;

/// A place in the trie; the root is [`Paths::ROOT`].
pub(super) type Node = u32;

const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    fields: HashMap<Box<[u8]>, Field>,
    /// By field: the place of its path in the order of paths.
    ranks: Vec<u32>,
    nodes: Vec<Place>,
    /// The keys of each node, hashed, with room left.
    slots: Vec<Slot>,
    /// What keys have behind their first 16 bytes.
    long_keys: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Place {
    /// The field that ends here, or [`NONE`].
    field: Field,
    /// Where this node's slots begin, and their number less one: a power of two less one. No slots
    /// at all when `has_keys` is false.
    first: u32,
    mask: u32,
    /// A bit for each length that a key has, the last one for all lengths from 63 on.
    lengths: u64,
    has_keys: bool,
    /// Paths go on from some child of the node, so that a key with a dot may be on the way.
    has_deeper: bool,
}

/// One key of a node. Keys of up to 16 bytes are wholly in `low`, `high` and `len`.
#[derive(Copy, Clone, Debug)]
struct Slot {
    low: u64,
    high: u64,
    len: u32,
    /// [`NONE`] in an empty slot.
    child: Node,
    /// Where the rest of a longer key is.
    long: u32,
}

const EMPTY: Slot = Slot { low: 0, high: 0, len: 0, child: NONE, long: 0 };

impl Paths {
    pub(super) const ROOT: Node = 0;

    /// These paths and those given; `None` when that is no more than these.
    pub(crate) fn with<'a>(&self, paths: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut fields: Option<HashMap<Box<[u8]>, Field>> = None;
        for path in paths {
            if !fields.as_ref().unwrap_or(&self.fields).contains_key(path) {
                let fields = fields.get_or_insert_with(|| self.fields.clone());
                fields.insert(path.into(), small(fields.len()));
            }
        }
        fields.map(Self::of)
    }

    fn of(fields: HashMap<Box<[u8]>, Field>) -> Self {
        let mut tree = Tree { nodes: vec![Branch::default()] };
        let mut in_order: Vec<(&[u8], Field)> =
            fields.iter().map(|(path, field)| (&**path, *field)).collect();
        in_order.sort_unstable_by(|(left, _), (right, _)| path_order(left, right));
        let mut ranks = vec![0; fields.len()];
        for (rank, (path, field)) in (0..).zip(in_order) {
            ranks[index(field)] = rank;
            tree.add(path, field);
        }
        let mut paths = Self::default();
        for branch in &tree.nodes {
            paths.place(branch);
        }
        drop(tree);
        Self { fields, ranks, ..paths }
    }

    /// The number of a path.
    pub(super) fn number(&self, path: &[u8]) -> Option<Field> {
        self.fields.get(path).copied()
    }

    /// The place of a field's path in the order of paths, which `{"exists": false}` depends on.
    pub(super) fn rank(&self, field: Field) -> u32 {
        self.ranks[index(field)]
    }

    fn place(&mut self, branch: &Branch<'_>) {
        let first = self.slots.len();
        let room = (2 * branch.keys.len()).next_power_of_two();
        let place = Place {
            field: branch.field.unwrap_or(NONE),
            first: small(first),
            mask: small(room - 1),
            lengths: branch.keys.keys().fold(0, |lengths, key| lengths | 1 << key.len().min(63)),
            has_keys: !branch.keys.is_empty(),
            has_deeper: branch.has_deeper,
        };
        if place.has_keys {
            self.slots.resize(first + room, EMPTY);
        }
        for (key, child) in &branch.keys {
            let probe = Probe::new(key);
            let Probe { low, high, rest, .. } = probe;
            let mut at = place.slot(&probe);
            while self.slots[at].child != NONE {
                at = place.after(at);
            }
            let long = small(self.long_keys.len());
            self.slots[at] = Slot { low, high, len: small(key.len()), child: *child, long };
            self.long_keys.extend_from_slice(rest);
        }
        self.nodes.push(place);
    }

    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The field whose path ends at a node.
    #[inline]
    pub(super) fn field(&self, node: Node) -> Option<Field> {
        Some(self.nodes[index(node)].field).filter(|field| *field != NONE)
    }

    /// Some path goes on from the node.
    #[inline]
    pub(super) fn leads_on(&self, node: Node) -> bool {
        self.nodes[index(node)].has_keys
    }

    /// Where a key of an event leads, without its escapes.
    #[inline(always)]
    pub(super) fn child(&self, node: Node, key: &Probe<'_>, text: &[u8]) -> Option<Node> {
        let found = self.find(node, key);
        if found.is_none() && self.nodes[index(node)].has_deeper && key.has_dot() {
            return self.descendant(node, text);
        }
        found
    }

    /// The way of a key with dots, a step for each part.
    #[cold]
    fn descendant(&self, node: Node, key: &[u8]) -> Option<Node> {
        key.split(|byte| *byte == b'.')
            .try_fold(node, |node, part| self.find(node, &Probe::new(part)))
    }

    #[inline(always)]
    fn find(&self, node: Node, key: &Probe<'_>) -> Option<Node> {
        let place = &self.nodes[index(node)];
        if place.lengths >> key.len.min(63) & 1 == 0 {
            return None;
        }
        let mut at = place.slot(key);
        loop {
            let slot = &self.slots[at];
            if slot.child == NONE {
                return None;
            }
            if slot.low == key.low && slot.high == key.high && index(slot.len) == key.len {
                let long = index(slot.long);
                if key.rest.is_empty() || self.long_keys[long..long + key.rest.len()] == *key.rest {
                    return Some(slot.child);
                }
            }
            at = place.after(at);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let names: usize =
            self.fields.keys().map(|path| path.len() + size_of::<(Box<[u8]>, Field)>()).sum();
        names
            + self.nodes.capacity() * size_of::<Place>()
            + self.slots.capacity() * size_of::<Slot>()
            + self.long_keys.capacity()
    }
}

impl Place {
    #[inline(always)]
    fn slot(&self, key: &Probe<'_>) -> usize {
        let mixed = if key.rest.is_empty() {
            (key.low ^ key.high.rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        } else {
            key.hash(0)
        };
        index(self.first) + index((mixed >> 32) as u32 & self.mask)
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        let first = index(self.first);
        first + ((at - first + 1) & index(self.mask))
    }
}

/// The trie while it grows.
struct Tree<'a> {
    nodes: Vec<Branch<'a>>,
}

#[derive(Default)]
struct Branch<'a> {
    field: Option<Field>,
    keys: HashMap<&'a [u8], Node>,
    has_deeper: bool,
}

impl<'a> Tree<'a> {
    fn add(&mut self, path: &'a [u8], field: Field) {
        let mut node = Paths::ROOT;
        let mut before = None;
        for key in path.split(|byte| *byte == b'.') {
            if let Some(before) = before.replace(node) {
                self.nodes[index(before)].has_deeper = true;
            }
            let next = small(self.nodes.len());
            let child = *self.nodes[index(node)].keys.entry(key).or_insert(next);
            if child == next {
                self.nodes.push(Branch::default());
            }
            node = child;
        }
        self.nodes[index(node)].field = Some(field);
    }
}
