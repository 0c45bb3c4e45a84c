//! How many ranges of a field an event meets with one of them, as a guess.
//!
//! Nothing is known of the numbers that events will have, except that people write ranges where
//! numbers are: so the ends of all ranges of the field stand for them. A range that holds a tenth of
//! the ends is met by a tenth of the events, and is worth as little as a text that a tenth of the
//! branches ask for.

use super::small;
use crate::number::Key;
use crate::value::{Bound, Range};

#[derive(Default)]
pub(super) struct Overlaps {
    ends: Vec<Key>,
    ranges: u64,
}

impl Overlaps {
    pub(super) fn add(&mut self, range: &Range) {
        self.ranges += 1;
        self.ends.extend([&range.bottom, &range.top].into_iter().flatten().map(key));
    }

    pub(super) fn sort(&mut self) {
        self.ends.sort_unstable();
    }

    /// How many of the ranges, as the ends go, a number meets that is in this one.
    pub(super) fn around(&self, range: &Range) -> u64 {
        let place = |bound: &Bound, is_before: fn(&Key, &Key) -> bool| {
            let end = key(bound);
            self.ends.partition_point(|other| is_before(other, &end))
        };
        let start = range.bottom.as_ref().map_or(0, |bottom| place(bottom, Key::lt));
        let end = range.top.as_ref().map_or(self.ends.len(), |top| place(top, Key::le));
        let inside = u64::from(small(end.saturating_sub(start)));
        let all = u64::from(small(self.ends.len())).max(1);
        (inside * self.ranges / all).max(1)
    }
}

fn key(bound: &Bound) -> Key {
    bound.value.key()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Decimal;

    #[test]
    fn a_narrow_range_is_met_with_few_others_and_an_open_one_with_most() {
        let bound = |number: u32| {
            let text = number.to_string();
            let value = Decimal::read(text.as_bytes()).expect("a number").into_owned();
            Some(Bound { value, inclusive: true })
        };
        let mut overlaps = Overlaps::default();
        let ranges: Vec<Range> =
            (0..100).map(|at| Range { bottom: bound(10 * at), top: bound(10 * at + 20) }).collect();
        for range in &ranges {
            overlaps.add(range);
        }
        overlaps.sort();
        assert_eq!(overlaps.around(&ranges[50]), 3);
        assert_eq!(overlaps.around(&Range { bottom: bound(0), top: None }), 100);
        assert_eq!(overlaps.around(&Range { bottom: None, top: bound(500) }), 50);
        assert_eq!(overlaps.around(&Range { bottom: bound(2_000), top: None }), 1);
    }
}
