//! From the leaves of one field to the atoms that accept them.
//!
//! # Invariants
//!
//! - Exactly the atoms that were put in and accept some leaf are found, each once.
//! - What is found is found by looking up, not by going through the atoms; except for those with no
//!   better way than to be asked, which [`super::tree`] avoids where it can.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;

use super::hash::Probe;
use super::leaves::{Kind, Leaf, Leaves};
use super::paths::Field;
use super::ranges::{Held, Member, Ranges};
use super::seen::Seen;
use super::table::{Atom, Hit, Table};
use super::tree::Tree;
use super::way::{Found, Tag, Way, address_key, network_of, of_network, seed};
use super::{index, small};
use crate::address::Address;
use crate::ignore_case::fold_into;
use crate::number::{Decimal, Key};
use crate::value::Wanted;

/// No atom.
const NONE: Atom = Atom::MAX;

/// The atoms of one field.
#[derive(Debug)]
pub(super) struct FieldIndex {
    field: Field,
    has_texts: bool,
    has_numbers: bool,
    has_spellings: bool,
    words: [Atom; 3],
    present: Atom,
    /// What most fields do not have.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    has_addresses: bool,
    has_folded: bool,
    /// The lengths of the prefixes and suffixes, ascending.
    prefixes: Vec<u32>,
    suffixes: Vec<u32>,
    folded_prefixes: Vec<u32>,
    folded_suffixes: Vec<u32>,
    /// The numbers of host bits of the networks, ascending.
    v4_networks: Vec<u32>,
    v6_networks: Vec<u32>,
    ranges: Ranges,
    contains: Option<Contains>,
    asked: Vec<Atom>,
}

/// Literals that texts are searched for, all at once.
#[derive(Debug)]
struct Contains {
    searcher: AhoCorasick,
    /// For each literal what it leads to.
    hits: Vec<Vec<Hit>>,
}

/// What is found for one field, and what finding needs.
#[derive(Debug, Default)]
pub(super) struct Finds {
    pub(super) atoms: Vec<Atom>,
    /// Ranges apart: there may be very many.
    pub(super) held: Held,
    folded: Vec<u8>,
    /// What was found in this event.
    seen: Seen,
    /// What was asked about this leaf.
    asked: Seen,
}

impl Finds {
    /// Forgets everything, and makes room for so many atoms.
    pub(super) fn clear(&mut self, atoms: usize) {
        self.atoms.clear();
        self.held.atoms.clear();
        self.held.patterns.clear();
        self.seen.clear(atoms);
    }
}

/// What the index looks things up in.
#[derive(Copy, Clone)]
pub(super) struct Sources<'a> {
    pub(super) event: &'a [u8],
    pub(super) leaves: &'a Leaves,
    pub(super) table: &'a Table,
    pub(super) atoms: &'a [Wanted],
}

impl FieldIndex {
    /// An index of these atoms; what is found by a key goes into the table.
    pub(super) fn new(
        field: Field,
        atoms: &[(Atom, Found, &Wanted)],
        tree: &Tree,
        table: &mut Table,
    ) -> Self {
        let mut index = Self {
            field,
            has_texts: false,
            has_numbers: false,
            has_spellings: false,
            words: [NONE; 3],
            present: NONE,
            more: None,
        };
        let (mut ranges, mut literals) = (Vec::new(), BTreeMap::<&[u8], Vec<Hit>>::new());
        for (atom, found, wanted) in atoms {
            match &found.way {
                Way::Key(tag, key) => {
                    index.note(*tag, key);
                    let hit = Hit { atom: *atom, is_all: found.is_all };
                    table.insert(seed(field, *tag), &Probe::new(key), hit);
                }
                Way::Number(key) => {
                    index.has_numbers = true;
                    let hit = Hit { atom: *atom, is_all: found.is_all };
                    table.insert(seed(field, Tag::Number), &number_probe(*key), hit);
                }
                Way::True => index.words[0] = *atom,
                Way::False => index.words[1] = *atom,
                Way::Null => index.words[2] = *atom,
                Way::Present => index.present = *atom,
                Way::Range => {
                    let Wanted::Range(range) = wanted else { unreachable!("a range is one") };
                    let (range, atom) = (range.clone(), *atom);
                    ranges.push(Member { range, atom, sole: tree.sole(atom) });
                }
                Way::Contains(literal) => {
                    let hit = Hit { atom: *atom, is_all: found.is_all };
                    literals.entry(literal).or_default().push(hit);
                }
                Way::Ask => index.more().asked.push(*atom),
            }
        }
        if !ranges.is_empty() {
            index.more().ranges = Ranges::new(ranges);
        }
        if !literals.is_empty() {
            index.more().contains = Some(Contains::new(literals));
        }
        index
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Remembers that there are keys of this kind.
    fn note(&mut self, tag: Tag, key: &[u8]) {
        let len = small(key.len());
        let sizes = match tag {
            Tag::Text => return self.has_texts = true,
            Tag::Number => unreachable!("numbers have a way of their own"),
            Tag::Spelling => return self.has_spellings = true,
            Tag::Address => return self.more().has_addresses = true,
            Tag::Folded => return self.more().has_folded = true,
            Tag::Prefix => &mut self.more().prefixes,
            Tag::Suffix => &mut self.more().suffixes,
            Tag::FoldedPrefix => &mut self.more().folded_prefixes,
            Tag::FoldedSuffix => &mut self.more().folded_suffixes,
            Tag::Network => {
                let (is_v4, host_bits) = of_network(key);
                let more = self.more();
                let networks = if is_v4 { &mut more.v4_networks } else { &mut more.v6_networks };
                return insert(networks, host_bits);
            }
        };
        insert(sizes, len);
    }

    /// Looks where the field's leaves may be found, see [`Table::touch`].
    pub(super) fn touch(&self, sources: Sources<'_>) -> u64 {
        let Sources { event, leaves, table, .. } = sources;
        leaves.at(self.field).fold(0, |touched, leaf| match leaf.kind {
            Kind::Text | Kind::Decoded if self.has_texts => {
                touched ^ table.touch(seed(self.field, Tag::Text), &leaves.probe(leaf, event))
            }
            Kind::Number(key) if self.has_numbers => {
                touched ^ table.touch(seed(self.field, Tag::Number), &number_probe(key))
            }
            _ => touched,
        })
    }

    /// Finds the atoms that accept some leaf of the field.
    pub(super) fn find(&self, sources: Sources<'_>, finds: &mut Finds) {
        if self.present != NONE {
            finds.atoms.push(self.present);
        }
        let is_single = sources.leaves.is_single(self.field);
        let mut asking = Asking { index: self, sources, finds, is_single, least_most: None };
        for leaf in sources.leaves.at(self.field) {
            asking.leaf(leaf);
        }
        if let (Some(more), Some((least, most))) = (&self.more, asking.least_most) {
            more.ranges.find_one_ended(&least, &most, &mut finds.held);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            let contains = more.contains.as_ref().map_or(0, |contains| {
                contains.searcher.memory_usage()
                    + contains.hits.len() * (size_of::<Vec<Hit>>() + size_of::<Hit>())
            });
            size_of::<More>() + contains + more.ranges.memory_bytes() + 4 * more.asked.capacity()
        });
        size_of::<Self>() + more
    }
}

fn insert(sorted: &mut Vec<u32>, number: u32) {
    if let Err(place) = sorted.binary_search(&number) {
        sorted.insert(place, number);
    }
}

/// One field asked about one event.
struct Asking<'a, 'f> {
    index: &'a FieldIndex,
    sources: Sources<'a>,
    finds: &'f mut Finds,
    /// The field has one leaf: whatever is found by a key is new.
    is_single: bool,
    /// The least and the largest number so far: of ranges with one end only these matter.
    least_most: Option<(Decimal<'a>, Decimal<'a>)>,
}

fn number_probe(key: Key) -> Probe<'static> {
    let (low, high) = key.parts();
    Probe::of_numbers(low, high)
}

impl<'a> Asking<'a, '_> {
    fn leaf(&mut self, leaf: &Leaf) {
        let Sources { event, leaves, .. } = self.sources;
        match leaf.kind {
            Kind::Text | Kind::Decoded => self.text(leaf),
            Kind::Number(key) => {
                if self.index.has_numbers {
                    self.key(leaf, Tag::Number, &number_probe(key));
                }
                self.number(Decimal::of(key));
            }
            Kind::LongNumber => {
                if let Some(value) = Decimal::read(leaves.bytes(leaf, event)) {
                    self.long_number(leaf, &value);
                    self.number(value);
                }
            }
            Kind::True => self.word(0),
            Kind::False => self.word(1),
            Kind::Null => self.word(2),
        }
        if self.index.has_spellings && matches!(leaf.kind, Kind::Number(_) | Kind::LongNumber) {
            self.key(leaf, Tag::Spelling, &Probe::new(leaves.bytes(leaf, event)));
        }
        if let Some(more) = &self.index.more {
            for atom in &more.asked {
                self.asked(leaf, *atom);
            }
        }
    }

    fn word(&mut self, word: usize) {
        let atom = self.index.words[word];
        if atom != NONE {
            self.push(atom);
        }
    }

    fn number(&mut self, number: Decimal<'a>) {
        let Some(more) = &self.index.more else { return };
        if more.ranges.is_empty() {
            return;
        }
        let (is_single, Finds { held, seen, .. }) = (self.is_single, &mut *self.finds);
        more.ranges.find_between(&number, |atom| {
            if is_single || seen.insert(atom) {
                held.atoms.push(atom);
            }
        });
        self.least_most = Some(match self.least_most.take() {
            None => (number.clone(), number),
            Some((least, most)) if number < least => (number, most),
            Some((least, most)) if most < number => (least, number),
            Some(both) => both,
        });
    }

    /// A number that is more than its key: what it finds is asked.
    fn long_number(&mut self, leaf: &Leaf, number: &Decimal<'_>) {
        if !self.index.has_numbers {
            return;
        }
        let Sources { event, leaves, table, atoms } = self.sources;
        for hit in table.find(seed(self.index.field, Tag::Number), &number_probe(number.key())) {
            if atoms[index(hit.atom)].accepts(&leaves.value(leaf, event)) {
                self.push(hit.atom);
            }
        }
    }

    fn text(&mut self, leaf: &Leaf) {
        let Sources { event, leaves, .. } = self.sources;
        let index = self.index;
        if index.has_texts {
            self.key(leaf, Tag::Text, &leaves.probe(leaf, event));
        }
        if let Some(more) = &index.more {
            self.more_text(leaf, more, leaves.bytes(leaf, event));
        }
    }

    fn more_text(&mut self, leaf: &Leaf, more: &More, text: &[u8]) {
        self.ends(leaf, text, (Tag::Prefix, &more.prefixes), (Tag::Suffix, &more.suffixes));
        if more.has_addresses || !more.v4_networks.is_empty() || !more.v6_networks.is_empty() {
            self.address(leaf, more, text);
        }
        if more.has_folded || !more.folded_prefixes.is_empty() || !more.folded_suffixes.is_empty() {
            let mut folded = std::mem::take(&mut self.finds.folded);
            folded.clear();
            fold_into(text, &mut folded);
            if more.has_folded {
                self.key(leaf, Tag::Folded, &Probe::new(&folded));
            }
            let prefixes = (Tag::FoldedPrefix, more.folded_prefixes.as_slice());
            self.ends(leaf, &folded, prefixes, (Tag::FoldedSuffix, &more.folded_suffixes));
            self.finds.folded = folded;
        }
        if let Some(contains) = &more.contains {
            self.finds.asked.clear(self.sources.atoms.len());
            for found in contains.searcher.find_overlapping_iter(text) {
                for hit in &contains.hits[found.pattern().as_usize()] {
                    self.searched(leaf, *hit);
                }
            }
        }
    }

    /// Looks up the beginnings and the ends of a text that are as long as some prefix or suffix.
    fn ends(
        &mut self,
        leaf: &Leaf,
        text: &[u8],
        (prefix, prefixes): (Tag, &[u32]),
        (suffix, suffixes): (Tag, &[u32]),
    ) {
        for len in prefixes.iter().map_while(|len| text.get(..index(*len))) {
            self.key(leaf, prefix, &Probe::new(len));
        }
        for len in suffixes.iter().map_while(|len| text.len().checked_sub(index(*len))) {
            self.key(leaf, suffix, &Probe::new(&text[len..]));
        }
    }

    fn address(&mut self, leaf: &Leaf, more: &More, text: &[u8]) {
        let Some(address) = Address::read(text) else { return };
        if more.has_addresses {
            self.key(leaf, Tag::Address, &Probe::new(&address_key(address)));
        }
        let networks = match address {
            Address::V4(_) => &more.v4_networks,
            Address::V6(_) => &more.v6_networks,
        };
        for host_bits in networks {
            self.key(leaf, Tag::Network, &Probe::new(&network_of(address, *host_bits)));
        }
    }

    #[inline]
    fn key(&mut self, leaf: &Leaf, tag: Tag, probe: &Probe<'_>) {
        for hit in self.sources.table.find(seed(self.index.field, tag), probe) {
            if hit.is_all {
                self.push(hit.atom);
            } else {
                self.asked(leaf, hit.atom);
            }
        }
    }

    /// A literal may occur several times in one text.
    fn searched(&mut self, leaf: &Leaf, hit: Hit) {
        let Sources { event, leaves, atoms, .. } = self.sources;
        if !self.finds.asked.insert(hit.atom) {
            return;
        }
        if hit.is_all || atoms[index(hit.atom)].accepts(&leaves.value(leaf, event)) {
            self.push(hit.atom);
        }
    }

    /// Shows the leaf to the atom itself.
    fn asked(&mut self, leaf: &Leaf, atom: Atom) {
        let Sources { event, leaves, atoms, .. } = self.sources;
        if atoms[index(atom)].accepts(&leaves.value(leaf, event)) {
            self.push(atom);
        }
    }

    #[inline]
    fn push(&mut self, atom: Atom) {
        if self.is_single || self.finds.seen.insert(atom) {
            self.finds.atoms.push(atom);
        }
    }
}

impl Contains {
    fn new(literals: BTreeMap<&[u8], Vec<Hit>>) -> Self {
        let searcher = AhoCorasick::builder()
            .prefilter(false)
            .build(literals.keys())
            .expect("patterns are far smaller than what the searcher can number");
        Self { searcher, hits: literals.into_values().collect() }
    }
}
