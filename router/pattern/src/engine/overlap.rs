//! How many ranges of a field hold the numbers that one of them is for.
//!
//! A range is worth being found by when few others are found with it. Its lower end, or its upper one
//! where there is no lower, stands for the numbers in it.

use super::small;
use crate::number::Key;
use crate::value::{Bound, Range};

#[derive(Default)]
pub(super) struct Overlaps {
    /// The ends of all ranges; those without one count as the least and the greatest.
    bottoms: Vec<Option<Key>>,
    tops: Vec<Key>,
}

fn key(bound: &Bound) -> Key {
    bound.value.key()
}

impl Overlaps {
    pub(super) fn add(&mut self, range: &Range) {
        self.bottoms.push(range.bottom.as_ref().map(key));
        self.tops.extend(range.top.as_ref().map(key));
    }

    pub(super) fn sort(&mut self) {
        self.bottoms.sort_unstable();
        self.tops.sort_unstable();
    }

    /// How many ranges hold the end of this one.
    pub(super) fn around(&self, range: &Range) -> u32 {
        let Some(point) = range.bottom.as_ref().or(range.top.as_ref()).map(key) else {
            return u32::MAX;
        };
        let begun = self.bottoms.partition_point(|bottom| *bottom <= Some(point));
        let ended = self.tops.partition_point(|top| *top < point);
        small(begun - ended)
    }
}
