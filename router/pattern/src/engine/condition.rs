//! A condition, ready to be asked of a field's leaves in one look.
//!
//! # Invariants
//!
//! - The answer is that of [`Wanted::accepts`] for some of the atoms; the shapes here only spare the way
//!   to them through memory.

use super::field_index::Sources;
use super::hash::Probe;
use super::index;
use super::leaves::{Kind, Leaf};
use super::paths::Field;
use super::table::Atom;
use crate::ignore_case::IgnoreCase;
use crate::number::Key;
use crate::value::{Bound, Range, Unwanted, Wanted};

#[derive(Copy, Clone, Debug)]
pub(super) struct Condition {
    pub(super) field: Field,
    /// Where its atoms are in the list of all.
    atoms: (u32, u32),
    pub(super) or_absent: bool,
    shape: Shape,
}

/// What nearly all conditions are.
#[derive(Copy, Clone, Debug)]
enum Shape {
    /// A short text, whole or where a text begins.
    Text(Text),
    /// A short text where a text ends.
    Suffix(Text),
    /// Anything but a short text, whole or where a text begins.
    NotText(Text),
    /// One number.
    Number(Key),
    /// One range whose ends are wholly in their keys.
    Range(End, End),
    /// Any list of atoms.
    Atoms,
}

/// Up to 16 bytes, compared after the case of letters is folded, if it is.
#[derive(Copy, Clone, Debug)]
struct Text {
    low: u64,
    high: u64,
    /// The bit that tells the cases apart, for each letter whose case does not count.
    fold_low: u64,
    fold_high: u64,
    len: u8,
    /// It has to be the whole text.
    is_whole: bool,
}

/// A bottom or a top; `None` where the range is open.
type End = Option<(Key, bool)>;

impl Condition {
    pub(super) fn new(
        field: Field,
        or_absent: bool,
        atoms: (u32, u32),
        wanted: &[&Wanted],
    ) -> Self {
        let shape = match wanted {
            [wanted] => shape(wanted).unwrap_or(Shape::Atoms),
            _ => Shape::Atoms,
        };
        Self { field, atoms, or_absent, shape }
    }

    /// Some leaf of the field is accepted.
    #[inline]
    pub(super) fn accepts_some(&self, sources: Sources<'_>, listed: &[Atom]) -> bool {
        sources.leaves.at(self.field).any(|leaf| self.accepts(leaf, sources, listed))
    }

    #[inline]
    pub(super) fn accepts(&self, leaf: &Leaf, sources: Sources<'_>, listed: &[Atom]) -> bool {
        let Sources { event, leaves, .. } = sources;
        match (&self.shape, leaf.kind) {
            (Shape::Text(text), Kind::Text | Kind::Decoded) => {
                text.begins(&leaves.probe(leaf, event))
            }
            (Shape::NotText(text), Kind::Text | Kind::Decoded) => {
                !text.begins(&leaves.probe(leaf, event))
            }
            (Shape::Suffix(text), Kind::Text | Kind::Decoded) => {
                let len = index(u32::from(text.len));
                leaves.last(leaf, event, len).is_some_and(|probe| text.begins(&probe))
            }
            (Shape::Number(wanted), Kind::Number(key)) => key == *wanted,
            (Shape::Range(bottom, top), Kind::Number(key)) => {
                bottom.is_none_or(|(bottom, inclusive)| bottom < key || inclusive && bottom == key)
                    && top.is_none_or(|(top, inclusive)| key < top || inclusive && key == top)
            }
            (Shape::NotText(_), _) => true,
            (Shape::Atoms, _) | (Shape::Number(_) | Shape::Range(..), Kind::LongNumber) => {
                self.atoms_accept(leaf, sources, listed)
            }
            _ => false,
        }
    }

    fn atoms_accept(&self, leaf: &Leaf, sources: Sources<'_>, listed: &[Atom]) -> bool {
        let Sources { event, leaves, atoms, .. } = sources;
        let listed = &listed[index(self.atoms.0)..index(self.atoms.1)];
        let value = leaves.value(leaf, event);
        listed.iter().any(|atom| atoms[index(*atom)].accepts(&value))
    }
}

impl Text {
    fn new(text: &[u8], is_whole: bool) -> Option<Self> {
        let Probe { low, high, len, rest } = Probe::new(text);
        let len = u8::try_from(len).ok()?;
        let text = Self { low, high, fold_low: 0, fold_high: 0, len, is_whole };
        rest.is_empty().then_some(text)
    }

    fn ignoring_case(text: &IgnoreCase, is_whole: bool) -> Option<Self> {
        let IgnoreCase::Ascii(text) = text else { return None };
        let letters: Vec<u8> =
            text.iter().map(|byte| if byte.is_ascii_alphabetic() { 0x20 } else { 0 }).collect();
        let Probe { low: fold_low, high: fold_high, .. } = Probe::new(&letters);
        let lower = Self::new(&text.to_ascii_lowercase(), is_whole)?;
        Some(Self { fold_low, fold_high, ..lower })
    }

    #[inline]
    fn begins(&self, text: &Probe<'_>) -> bool {
        let len = index(u32::from(self.len));
        if text.len < len || self.is_whole && text.len != len {
            return false;
        }
        let beginning = text.beginning(len);
        beginning.low | self.fold_low == self.low && beginning.high | self.fold_high == self.high
    }
}

/// The shape of a condition of one entry; `None` when it has no better one than its atom.
fn shape(wanted: &Wanted) -> Option<Shape> {
    Some(match wanted {
        Wanted::Text(text) => Shape::Text(Text::new(text, true)?),
        Wanted::Prefix(text) => Shape::Text(Text::new(text, false)?),
        Wanted::Suffix(text) => Shape::Suffix(Text::new(text, true)?),
        Wanted::IgnoreCase(text) => Shape::Text(Text::ignoring_case(text, true)?),
        Wanted::PrefixIgnoreCase(text) => Shape::Text(Text::ignoring_case(text, false)?),
        Wanted::SuffixIgnoreCase(text) => Shape::Suffix(Text::ignoring_case(text, true)?),
        Wanted::Number(number) => {
            let value = number.value.as_ref().filter(|value| value.is_key())?;
            Shape::Number(value.key())
        }
        Wanted::Range(Range { bottom, top }) => {
            Shape::Range(end(bottom.as_ref())?, end(top.as_ref())?)
        }
        Wanted::AnythingBut(unwanted) => match unwanted.as_slice() {
            [Unwanted::Text(text)] => Shape::NotText(Text::new(text, true)?),
            [Unwanted::Prefix(text)] => Shape::NotText(Text::new(text, false)?),
            [Unwanted::IgnoreCase(text)] => Shape::NotText(Text::ignoring_case(text, true)?),
            _ => return None,
        },
        _ => return None,
    })
}

/// `None` when the end is more than its key.
fn end(bound: Option<&Bound>) -> Option<End> {
    match bound {
        None => Some(None),
        Some(bound) if bound.value.is_key() => Some(Some((bound.value.key(), bound.inclusive))),
        Some(_) => None,
    }
}
