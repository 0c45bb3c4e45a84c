//! How a leaf finds the entries of patterns that accept it, instead of being shown to each of them.
//!
//! An *atom* is one entry of a field's list, such as `{"prefix": "ab"}` of `detail.name`; entries that
//! are written alike are one atom. The way to an atom is what must be looked up to meet it: most ways
//! end in one hash table, whatever the number of atoms.

use std::collections::HashMap;

use super::paths::Field;
use crate::address::{Address, Network};
use crate::number::Key;
use crate::value::{Range, Wanted};

/// What a key in the table is compared with.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tag {
    Text,
    Address,
    /// A number's value, see [`crate::number::Key`].
    Number,
    /// A number as it is spelled.
    Spelling,
    /// A text whose case was folded.
    Folded,
    Prefix,
    Suffix,
    FoldedPrefix,
    FoldedSuffix,
    Network,
}

/// A name space of the table: a field and what is compared.
pub(super) fn seed(field: Field, tag: Tag) -> u64 {
    u64::from(field) << 8 | tag as u64
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is in the table under this key.
    Key(Tag, Box<[u8]>),
    /// It is in the table under this number.
    Number(Key),
    True,
    False,
    Null,
    /// Every leaf is accepted.
    Present,
    /// Among the ranges of the field.
    Range,
    /// It can only accept a text with this in it.
    Contains(Box<[u8]>),
    /// It is asked itself, about every leaf.
    Ask,
}

/// The way to an atom, and whether all that it finds is accepted; otherwise the atom is asked too.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) way: Way,
    pub(super) is_all: bool,
}

impl Found {
    fn all(way: Way) -> Self {
        Self { way, is_all: true }
    }

    fn key(tag: Tag, key: &[u8]) -> Self {
        Self::all(Way::Key(tag, key.into()))
    }
}

/// How often each literal occurs in the wildcards of each field: rare ones lead to few atoms.
#[derive(Default)]
pub(super) struct Literals<'a> {
    counts: HashMap<(Field, &'a [u8]), u32>,
}

impl<'a> Literals<'a> {
    pub(super) fn count(&mut self, field: Field, wanted: &'a Wanted) {
        if let Wanted::Wildcard(wildcard) = wanted {
            for literal in wildcard.literals() {
                *self.counts.entry((field, literal)).or_default() += 1;
            }
        }
    }

    fn of(&self, field: Field, literal: &[u8]) -> u32 {
        self.counts.get(&(field, literal)).copied().unwrap_or(0)
    }
}

/// Chooses the way to an atom.
pub(super) fn way(field: Field, wanted: &Wanted, literals: &Literals<'_>) -> Found {
    match wanted {
        Wanted::Text(text) => Found::key(Tag::Text, text),
        Wanted::Address(address) => Found::key(Tag::Address, &address_key(*address)),
        Wanted::Number(number) => match &number.value {
            Some(value) => Found { is_all: value.is_key(), way: Way::Number(value.key()) },
            None => Found::key(Tag::Spelling, &number.spelling),
        },
        Wanted::True => Found::all(Way::True),
        Wanted::False => Found::all(Way::False),
        Wanted::Null => Found::all(Way::Null),
        Wanted::Present => Found::all(Way::Present),
        Wanted::Prefix(text) => Found::key(Tag::Prefix, text),
        Wanted::Suffix(text) => Found::key(Tag::Suffix, text),
        Wanted::IgnoreCase(text) => folded(Tag::Folded, text.folded()),
        Wanted::PrefixIgnoreCase(text) => folded(Tag::FoldedPrefix, text.folded()),
        Wanted::SuffixIgnoreCase(text) => folded(Tag::FoldedSuffix, text.folded()),
        Wanted::Wildcard(wildcard) => wildcard_way(field, wildcard.literals(), literals),
        Wanted::Range(range) => match only(range) {
            Some(key) => Found::all(Way::Number(key)),
            None => Found::all(Way::Range),
        },
        Wanted::Network(network) => Found::key(Tag::Network, &network_key(*network)),
        Wanted::All(members) => members
            .iter()
            .map(|member| Found { is_all: false, ..way(field, member, literals) })
            .filter(|found| matches!(found.way, Way::Key(..) | Way::Number(_) | Way::Contains(_)))
            .min_by_key(generality)
            .unwrap_or(Found::all(Way::Ask)),
        Wanted::AnythingBut(_) | Wanted::Regex(_) => Found::all(Way::Ask),
    }
}

fn folded(tag: Tag, text: Option<Box<[u8]>>) -> Found {
    text.map_or(Found::all(Way::Ask), |text| Found::all(Way::Key(tag, text)))
}

/// The only number in a range, where it is wholly in its key.
fn only(range: &Range) -> Option<Key> {
    let (bottom, top) = (range.bottom.as_ref()?, range.top.as_ref()?);
    let is_one = bottom.inclusive && top.inclusive && bottom.value == top.value;
    (is_one && bottom.value.is_key()).then(|| bottom.value.key())
}

/// The rarest of the literals, and of equally rare ones the longest.
fn wildcard_way(field: Field, texts: &[Box<[u8]>], literals: &Literals<'_>) -> Found {
    let last = texts.len() - 1;
    let rank =
        |(_, text): &(usize, &[u8])| (literals.of(field, text), std::cmp::Reverse(text.len()));
    if last == 0 {
        return Found::key(Tag::Text, &texts[0]);
    }
    let Some((at, text)) = texts
        .iter()
        .map(AsRef::as_ref)
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .min_by_key(rank)
    else {
        return Found::key(Tag::Prefix, b"");
    };
    let is_all = texts.iter().enumerate().all(|(other, text)| other == at || text.is_empty());
    let way = match at {
        0 => Way::Key(Tag::Prefix, text.into()),
        at if at == last => Way::Key(Tag::Suffix, text.into()),
        _ => Way::Contains(text.into()),
    };
    // Of `*a*b` with nothing but empty texts around `a` nothing is left to ask.
    Found { way, is_all: is_all && texts.len() <= 3 }
}

/// An address as a key: the same for all spellings.
pub(super) fn address_key(address: Address) -> [u8; 17] {
    let mut key = [0; 17];
    let (kind, bits) = match address {
        Address::V4(bits) => (4, u128::from(bits)),
        Address::V6(bits) => (6, bits),
    };
    key[0] = kind;
    key[1..].copy_from_slice(&bits.to_le_bytes());
    key
}

/// A network as a key: its addresses without the bits of the host, and how many these are.
fn network_key(network: Network) -> [u8; 18] {
    match network {
        Network::V4 { base, host_bits } => within(Address::V4(base), host_bits),
        Network::V6 { base, host_bits } => within(Address::V6(base), host_bits),
    }
}

/// The key of the network of a base.
fn within(base: Address, host_bits: u32) -> [u8; 18] {
    let mut key = [0; 18];
    key[..17].copy_from_slice(&address_key(base));
    key[17] = u8::try_from(host_bits).expect("an address has at most 128 bits");
    key
}

/// Whether a network's key is one of IPv4, and how many bits of the host it has.
pub(super) fn of_network(key: &[u8]) -> (bool, u32) {
    (key[0] == 4, u32::from(key[17]))
}

/// The key of the network of an address that has this many bits of the host.
pub(super) fn network_of(address: Address, host_bits: u32) -> [u8; 18] {
    let base = match address {
        Address::V4(bits) => Address::V4(bits.checked_shr(host_bits).unwrap_or(0)),
        Address::V6(bits) => Address::V6(bits.checked_shr(host_bits).unwrap_or(0)),
    };
    within(base, host_bits)
}

/// A guess at how many leaves a way lets through that its atom was not written for: 0 for none.
pub(super) fn generality(found: &Found) -> u32 {
    match &found.way {
        Way::Key(Tag::Prefix | Tag::Suffix | Tag::FoldedPrefix | Tag::FoldedSuffix, text) => {
            match text.len() {
                0 => 200,
                1 => 16,
                2 => 4,
                3 => 2,
                _ => 1,
            }
        }
        Way::Key(Tag::Network, _) => 2,
        Way::Key(..) | Way::Number(_) | Way::True | Way::False | Way::Null => 0,
        Way::Contains(text) if text.len() < 3 => 32,
        Way::Contains(_) => 2,
        // What else holds such a number, or is asked too, is counted where the group is known.
        Way::Range | Way::Present | Way::Ask => 0,
    }
}
