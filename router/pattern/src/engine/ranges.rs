//! The ranges of one field, and those that a number is in.
//!
//! Ranges with one end are sorted by it, so that those around a number are the first or the last ones.
//! Ranges with two ends are sorted by their bottoms, under a tree of the highest top of each 16.
//!
//! # Invariants
//!
//! - Finding costs what is found, and a logarithm of what is there.

use std::cmp::Ordering;

use super::table::Atom;
use crate::matcher::PatternIndex;
use crate::number::{Decimal, Key};
use crate::value::{Bound, Range};

/// Children of a node of the tree.
const FAN: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Ranges {
    above: OneEnded,
    below: OneEnded,
    /// Those with one end that alone are a pattern.
    sole_above: OneEnded,
    sole_below: OneEnded,
    between: Between,
}

/// A range, and the pattern that matches whenever it holds a number, if there is nothing else to it.
pub(super) struct Member {
    pub(super) range: Range,
    pub(super) atom: Atom,
    pub(super) sole: Option<PatternIndex>,
}

/// Bounds in rising order and what they belong to.
#[derive(Debug, Default)]
struct OneEnded {
    bounds: Bounds,
    atoms: Vec<Atom>,
    /// As many as atoms, or none.
    patterns: Vec<PatternIndex>,
}

/// What numbers find.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) atoms: Vec<Atom>,
    /// Patterns that match outright.
    pub(super) patterns: Vec<PatternIndex>,
}

#[derive(Debug, Default)]
struct Between {
    bottoms: Bounds,
    tops: Bounds,
    atoms: Vec<Atom>,
    /// For each level the highest key of each [`FAN`] of the level below; below the first is `tops`.
    highest: Vec<Vec<Key>>,
}

/// Bounds, with their keys beside them: these are compared first, and are nearly always enough.
#[derive(Debug, Default)]
struct Bounds {
    keys: Vec<Key>,
    all: Vec<Bound>,
}

impl Bounds {
    fn push(&mut self, bound: Bound) {
        self.keys.push(bound.value.key());
        self.all.push(bound);
    }

    /// Of bounds in rising order the place of the first that is not `before` the number, which those are
    /// whose keys are less and some of those whose keys are equal.
    fn partition_point(
        &self,
        number: &Decimal<'_>,
        is_before: fn(&Bound, &Decimal<'_>) -> bool,
    ) -> usize {
        let key = number.key();
        let start = self.keys.partition_point(|other| *other < key);
        let equal = self.keys[start..].partition_point(|other| *other == key);
        start + self.all[start..start + equal].partition_point(|bound| is_before(bound, number))
    }

    fn memory_bytes(&self) -> usize {
        self.keys.capacity() * size_of::<Key>() + self.all.capacity() * size_of::<Bound>()
    }
}

impl Ranges {
    pub(super) fn new(mut members: Vec<Member>) -> Self {
        let mut built = Self::default();
        members.sort_by(|left, right| {
            let (left, right) = (&left.range, &right.range);
            bottom_order(left, right).then(top_order(left, right))
        });
        for Member { range, atom, sole } in members {
            match (range.bottom, range.top, sole) {
                (Some(bottom), Some(top), _) => built.between.push(bottom, top, atom),
                (Some(bottom), None, None) => built.above.push(bottom, atom, None),
                (Some(bottom), None, sole) => built.sole_above.push(bottom, atom, sole),
                (None, Some(top), None) => built.below.push(top, atom, None),
                (None, Some(top), sole) => built.sole_below.push(top, atom, sole),
                (None, None, _) => unreachable!("a range has an end"),
            }
        }
        built.between.finish();
        built
    }

    pub(super) fn is_empty(&self) -> bool {
        let one_ended = [&self.above, &self.below, &self.sole_above, &self.sole_below];
        one_ended.iter().all(|some| some.atoms.is_empty()) && self.between.atoms.is_empty()
    }

    /// Adds what the ranges with one end lead to that hold some number, given the least and the largest.
    pub(super) fn find_one_ended(&self, least: &Decimal<'_>, most: &Decimal<'_>, held: &mut Held) {
        for above in [&self.above, &self.sole_above] {
            let end = above.bounds.partition_point(most, Bound::is_below);
            above.take(0..end, held);
        }
        for below in [&self.below, &self.sole_below] {
            let start = below.bounds.partition_point(least, |top, number| !top.is_above(number));
            below.take(start..below.atoms.len(), held);
        }
    }

    /// Gives the ranges with two ends that hold the number.
    pub(super) fn find_between(&self, number: &Decimal<'_>, mut found: impl FnMut(Atom)) {
        if self.between.atoms.is_empty() {
            return;
        }
        let end = self.between.bottoms.partition_point(number, Bound::is_below);
        self.between.find((self.between.highest.len(), 0), end, number, &mut found);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let one_ended = [&self.above, &self.below, &self.sole_above, &self.sole_below];
        let sizes = one_ended.map(|some| {
            some.bounds.memory_bytes() + 4 * (some.atoms.capacity() + some.patterns.capacity())
        });
        let ends = self.between.bottoms.memory_bytes() + self.between.tops.memory_bytes();
        sizes.iter().sum::<usize>() + ends + 4 * self.between.atoms.capacity()
    }
}

impl OneEnded {
    fn push(&mut self, bound: Bound, atom: Atom, sole: Option<PatternIndex>) {
        self.bounds.push(bound);
        self.atoms.push(atom);
        self.patterns.extend(sole);
    }

    fn take(&self, places: std::ops::Range<usize>, held: &mut Held) {
        if !self.patterns.is_empty() {
            held.patterns.extend_from_slice(&self.patterns[places]);
        } else {
            held.atoms.extend_from_slice(&self.atoms[places]);
        }
    }
}

impl Between {
    fn push(&mut self, bottom: Bound, top: Bound, atom: Atom) {
        self.bottoms.push(bottom);
        self.tops.push(top);
        self.atoms.push(atom);
    }

    fn finish(&mut self) {
        let mut level = self.tops.keys.clone();
        while 1 < level.len() {
            let highest = |some: &[Key]| *some.iter().max().expect("a chunk is not empty");
            level = level.chunks(FAN).map(highest).collect();
            self.highest.push(level.clone());
        }
    }

    /// Finds among the descendants of the node at `place` of a level; level 0 are the ranges.
    /// Only those before `end` begin low enough.
    fn find(
        &self,
        (level, place): (usize, usize),
        end: usize,
        number: &Decimal<'_>,
        found: &mut impl FnMut(Atom),
    ) {
        let Some(below) = level.checked_sub(1) else {
            if place < end && self.tops.all[place].is_above(number) {
                found(self.atoms[place]);
            }
            return;
        };
        let keys = if below == 0 { &self.tops.keys } else { &self.highest[below - 1] };
        // So many ranges are below each child.
        let size = FAN.pow(u32::try_from(below).unwrap_or(u32::MAX));
        let children = FAN * place..keys.len().min(FAN * (place + 1)).min(end.div_ceil(size));
        for child in children {
            if number.key() <= keys[child] {
                self.find((below, child), end, number, found);
            }
        }
    }
}

impl Bound {
    /// As a bottom it lets the number in.
    fn is_below(&self, number: &Decimal<'_>) -> bool {
        match self.value.cmp(number) {
            Ordering::Less => true,
            Ordering::Equal => self.inclusive,
            Ordering::Greater => false,
        }
    }

    /// As a top it lets the number in.
    fn is_above(&self, number: &Decimal<'_>) -> bool {
        match number.cmp(&self.value) {
            Ordering::Less => true,
            Ordering::Equal => self.inclusive,
            Ordering::Greater => false,
        }
    }
}

/// Ranges without a bottom first; of equal bottoms the one that lets more in.
fn bottom_order(left: &Range, right: &Range) -> Ordering {
    match (&left.bottom, &right.bottom) {
        (Some(left), Some(right)) => {
            left.value.cmp(&right.value).then(right.inclusive.cmp(&left.inclusive))
        }
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// Ranges without a top first; of equal tops the one that lets less in.
fn top_order(left: &Range, right: &Range) -> Ordering {
    match (&left.top, &right.top) {
        (Some(left), Some(right)) => tops_order(left, right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

fn tops_order(left: &Bound, right: &Bound) -> Ordering {
    left.value.cmp(&right.value).then(left.inclusive.cmp(&right.inclusive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound((value, inclusive): (u8, bool)) -> Bound {
        let text = value.to_string();
        Bound { value: Decimal::read(text.as_bytes()).unwrap().into_owned(), inclusive }
    }

    proptest! {
        #[test]
        fn exactly_the_ranges_around_a_number_are_found(
            ends in prop::collection::vec((prop::option::of((0..60_u8, any::<bool>())), prop::option::of((0..60_u8, any::<bool>()))), 0..400),
            number in 0..60_u8,
        ) {
            let ranges: Vec<Range> = ends
                .iter()
                .filter(|(bottom, top)| bottom.is_some() || top.is_some())
                .map(|(bottom, top)| Range { bottom: bottom.map(bound), top: top.map(bound) })
                .collect();
            let text = number.to_string();
            let number = Decimal::read(text.as_bytes()).unwrap();
            let expected: Vec<Atom> = (0..)
                .zip(&ranges)
                .filter(|(_, range)| {
                    range.bottom.as_ref().is_none_or(|bottom| bottom.is_below(&number))
                        && range.top.as_ref().is_none_or(|top| top.is_above(&number))
                })
                .map(|(atom, _)| atom)
                .collect();
            let sole = |atom: Atom| atom.is_multiple_of(2).then_some(PatternIndex(atom));
            let member = |(range, atom)| Member { range, atom, sole: sole(atom) };
            let ranges = Ranges::new(ranges.into_iter().zip(0..).map(member).collect());
            let mut held = Held::default();
            ranges.find_one_ended(&number, &number, &mut held);
            let mut between = Vec::new();
            ranges.find_between(&number, |atom| between.push(atom));
            let patterns = held.patterns.iter().map(|pattern| pattern.0);
            let mut found: Vec<Atom> = patterns.chain(held.atoms).chain(between).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
