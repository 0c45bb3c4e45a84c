//! The values of one event at the paths that patterns name.
//!
//! The elements are those of [`crate::flatten`]: an object or array in an array is one, and a leaf
//! belongs to the innermost around it.
//!
//! # Invariants
//!
//! - What is kept is proportional to what the paths select, and its memory is used again.

use super::hash::Probe;
use super::paths::Field;
use super::{index, small};
use crate::flatten::{Array, Element};
use crate::json::decode_into;
use crate::number::{Decimal, Key};
use crate::value::{Number, Value};

/// The end of a field's leaves.
const NONE: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Leaves {
    /// By field.
    fields: Vec<AtField>,
    /// The fields that have leaves, in the order in which they were met.
    touched: Vec<Field>,
    all: Vec<Leaf>,
    pub(super) elements: Vec<Element>,
    pub(super) arrays: Vec<Array>,
    /// Strings that had escapes.
    decoded: Vec<u8>,
    /// The last key that had escapes.
    key: Vec<u8>,
    /// How many fields have leaves in elements.
    pub(super) in_elements: usize,
}

#[derive(Copy, Clone)]
struct AtField {
    first: u32,
    last: u32,
    in_elements: bool,
}

const NOTHING: AtField = AtField { first: NONE, last: NONE, in_elements: false };

#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) element: u32,
    pub(super) kind: Kind,
    start: u32,
    end: u32,
    /// The field's next leaf.
    next: u32,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Between its quotes, without escapes.
    Text,
    /// Among the decoded ones.
    Decoded,
    /// All of its value.
    Number(Key),
    /// With more digits than a key has, or of a size beyond comparing.
    LongNumber,
    True,
    False,
    Null,
}

impl Leaves {
    /// Forgets the last event, and makes room for the fields of this matcher.
    pub(super) fn clear(&mut self, fields: usize) {
        for field in self.touched.drain(..) {
            self.fields[index(field)] = NOTHING;
        }
        if self.fields.len() < fields {
            self.fields.resize(fields, NOTHING);
        }
        self.all.clear();
        self.elements.clear();
        self.elements.push(Element { array: usize::MAX, parent: 0, end: 1 });
        self.arrays.clear();
        self.decoded.clear();
        self.in_elements = 0;
    }

    pub(super) fn finish(&mut self) {
        self.elements[0].end = self.elements.len();
    }

    pub(super) fn open_array(&mut self) -> usize {
        self.arrays.push(Array { end: 0 });
        self.arrays.len() - 1
    }

    pub(super) fn close_array(&mut self, array: usize) {
        self.arrays[array].end = self.elements.len();
    }

    pub(super) fn open_element(&mut self, array: usize, parent: u32) -> u32 {
        self.elements.push(Element { array, parent: index(parent), end: 0 });
        small(self.elements.len() - 1)
    }

    pub(super) fn close_element(&mut self, element: u32) {
        self.elements[index(element)].end = self.elements.len();
    }

    /// Adds a string that has escapes, given what is between its quotes.
    pub(super) fn push_escaped(&mut self, field: Field, element: u32, text: &[u8]) {
        let from = self.decoded.len();
        decode_into(text, &mut self.decoded);
        self.push(field, element, Kind::Decoded, (from, self.decoded.len()));
    }

    #[inline]
    pub(super) fn push_number(
        &mut self,
        field: Field,
        element: u32,
        text: &[u8],
        (start, end): (usize, usize),
    ) {
        let value = Decimal::read(&text[start..end]);
        let kind = match value {
            Some(value) if value.is_key() => Kind::Number(value.key()),
            _ => Kind::LongNumber,
        };
        self.push(field, element, kind, (start, end));
    }

    #[inline]
    pub(super) fn push(
        &mut self,
        field: Field,
        element: u32,
        kind: Kind,
        (start, end): (usize, usize),
    ) {
        let next = small(self.all.len());
        let at = &mut self.fields[index(field)];
        if at.first == NONE {
            at.first = next;
            self.touched.push(field);
        } else {
            self.all[index(at.last)].next = next;
        }
        at.last = next;
        if element != 0 && !at.in_elements {
            at.in_elements = true;
            self.in_elements += 1;
        }
        self.all.push(Leaf { element, kind, start: small(start), end: small(end), next: NONE });
    }

    /// A key without its escapes, until the next one.
    #[cold]
    pub(super) fn decoded_key(&mut self, key: &[u8]) -> &[u8] {
        self.key.clear();
        decode_into(key, &mut self.key);
        &self.key
    }

    pub(super) fn touched(&self) -> &[Field] {
        &self.touched
    }

    /// Some leaf of the field is in an element.
    #[inline]
    pub(super) fn is_in_elements(&self, field: Field) -> bool {
        self.fields[index(field)].in_elements
    }

    #[inline]
    pub(super) fn is_absent(&self, field: Field) -> bool {
        self.fields[index(field)].first == NONE
    }

    #[inline]
    pub(super) fn is_single(&self, field: Field) -> bool {
        let AtField { first, last, .. } = self.fields[index(field)];
        first == last
    }

    #[inline]
    pub(super) fn at(&self, field: Field) -> impl Iterator<Item = &Leaf> {
        let mut next = self.fields[index(field)].first;
        std::iter::from_fn(move || {
            let leaf = self.all.get(index(next))?;
            next = leaf.next;
            Some(leaf)
        })
    }

    #[inline]
    pub(super) fn bytes<'a>(&'a self, leaf: &Leaf, event: &'a [u8]) -> &'a [u8] {
        let source = if leaf.kind == Kind::Decoded { &self.decoded } else { event };
        &source[index(leaf.start)..index(leaf.end)]
    }

    /// The bytes, to look up.
    #[inline]
    pub(super) fn probe<'a>(&'a self, leaf: &Leaf, event: &'a [u8]) -> Probe<'a> {
        let source = if leaf.kind == Kind::Decoded { &self.decoded } else { event };
        Probe::within(source, index(leaf.start), index(leaf.end))
    }

    /// The last `len` bytes of a text; `None` when it is shorter.
    #[inline]
    pub(super) fn last<'a>(
        &'a self,
        leaf: &Leaf,
        event: &'a [u8],
        len: usize,
    ) -> Option<Probe<'a>> {
        let source = if leaf.kind == Kind::Decoded { &self.decoded } else { event };
        let (start, end) = (index(leaf.start), index(leaf.end));
        (len <= end - start).then(|| Probe::within(source, end - len, end))
    }

    #[inline]
    pub(super) fn value<'a>(&'a self, leaf: &Leaf, event: &'a [u8]) -> Value<'a> {
        let bytes = self.bytes(leaf, event);
        match leaf.kind {
            Kind::Text | Kind::Decoded => Value::Text(bytes),
            Kind::Number(key) => {
                Value::Number(Number { literal: bytes, value: Some(Decimal::of(key)) })
            }
            Kind::LongNumber => Value::Number(Number::read(bytes)),
            Kind::True => Value::True,
            Kind::False => Value::False,
            Kind::Null => Value::Null,
        }
    }
}
