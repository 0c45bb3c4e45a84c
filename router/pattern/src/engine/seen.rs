//! Sets of numbers that are emptied in one step.
//!
//! A number is in the set when its mark is the present epoch. Epochs only rise, so marks that another
//! matcher left in the same memory mean nothing.

use super::index;

/// Marks for a set, or for answers that were given; kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Seen {
    marks: Vec<u32>,
    epoch: u32,
}

impl Seen {
    /// Empties the set and makes room for numbers below `len`.
    pub(super) fn clear(&mut self, len: usize) {
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
        self.epoch = match self.epoch.checked_add(2) {
            Some(epoch) => epoch,
            None => {
                self.marks.fill(0);
                2
            }
        };
    }

    /// Puts a number in, and says whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, number: u32) -> bool {
        std::mem::replace(&mut self.marks[index(number)], self.epoch) != self.epoch
    }

    /// The answer noted for a number.
    #[inline]
    pub(super) fn answer(&self, number: u32) -> Option<bool> {
        let mark = self.marks[index(number)];
        (mark | 1 == self.epoch | 1).then_some(mark != self.epoch)
    }

    #[inline]
    pub(super) fn note(&mut self, number: u32, answer: bool) {
        self.marks[index(number)] = self.epoch | u32::from(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_is_forgotten_also_when_the_epochs_run_out() {
        let mut seen = Seen::default();
        for epoch in [0, 6, u32::MAX - 3] {
            seen.epoch = epoch & !1;
            for _ in 0..3 {
                seen.clear(2);
                assert!(seen.insert(1) && !seen.insert(1) && seen.insert(0));
                seen.clear(2);
                assert_eq!((seen.answer(0), seen.answer(1)), (None, None));
                seen.note(0, true);
                seen.note(1, false);
                assert_eq!((seen.answer(0), seen.answer(1)), (Some(true), Some(false)));
            }
        }
    }
}
