//! Array consistency: choosing leaves for several fields so that all of them come from the same
//! element of each array.
//!
//! A [`Join`] goes through the fields of a branch in order. It keeps the choices that are still
//! possible, each as the elements it is tied to; choosing a leaf ties the choice to the leaf's
//! element and to all elements around that one. A field that asks for absence is satisfied by a
//! choice when no leaf at its path is consistent with the choice, so far: fields that come later do
//! not count. This is how AWS's engine defines it.
//!
//! # Invariants
//!
//! - A choice is tied to at most one element of an array, and with an element to those around it.
//! - A choice forgets the arrays that no later field can meet, and no choice is kept twice. So in an
//!   event whose keys do not repeat there are never more choices than elements.

use crate::flatten::Leaves;
use crate::limits::COMBINATIONS_MAX;

/// The choices grew beyond [`COMBINATIONS_MAX`].
#[derive(Debug)]
pub(crate) struct TooMany;

/// A possible choice: the elements it is tied to, ascending, without the event itself.
type Choice = Vec<usize>;

pub(crate) struct Join<'a> {
    leaves: &'a Leaves,
    choices: Vec<Choice>,
    /// For each array, the place of the last field that can meet it.
    last_met: Vec<Option<usize>>,
}

impl<'a> Join<'a> {
    pub(crate) fn new(leaves: &'a Leaves) -> Self {
        Self { leaves, choices: vec![Vec::new()], last_met: vec![None; leaves.arrays.len()] }
    }

    /// Announces the elements that the field at `place` will be asked about. Places ascend.
    pub(crate) fn will_ask(&mut self, place: usize, elements: &[usize]) {
        for element in elements {
            let mut at = *element;
            while at != 0 {
                let known = self.leaves.elements[at];
                if self.last_met[known.array] == Some(place) {
                    break;
                }
                self.last_met[known.array] = Some(place);
                at = known.parent;
            }
        }
    }

    /// Continues each choice with each of the elements `accepted` that is consistent with it, and,
    /// given all elements that have a leaf, with the absence of any.
    pub(crate) fn ask(
        &mut self,
        place: usize,
        accepted: &[usize],
        absent_from: Option<&[usize]>,
    ) -> Result<(), TooMany> {
        let mut next = Vec::new();
        for choice in &self.choices {
            if let Some(present) = absent_from
                && self.next_consistent(choice, present, 0).is_none()
            {
                next.push(self.remembered(place, choice));
            }
            let mut from = 0;
            while let Some(at) = self.next_consistent(choice, accepted, from) {
                next.push(self.remembered(place, &self.tied(choice, accepted[at])));
                from = at + 1;
            }
            if COMBINATIONS_MAX < next.len() {
                return Err(TooMany);
            }
        }
        next.sort_unstable();
        next.dedup();
        self.choices = next;
        Ok(())
    }

    /// No choice is left.
    pub(crate) fn is_over(&self) -> bool {
        self.choices.is_empty()
    }

    /// Where in `elements`, at `from` or later, the first is that is consistent with the choice. What
    /// is in the wrong element of an array that the choice is tied in is passed over in one step.
    fn next_consistent(&self, choice: &Choice, elements: &[usize], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            match self.conflict(choice, *elements.get(at)?) {
                None => return Some(at),
                // Nothing before `skip_to` is consistent.
                Some(skip_to) => at += elements[at..].partition_point(|element| *element < skip_to),
            }
        }
    }

    /// Whether an element is, or is inside, an entry of an array of which the choice is tied to
    /// another: then the number at which something consistent can come next.
    fn conflict(&self, choice: &Choice, element: usize) -> Option<usize> {
        let mut conflict = None;
        let mut at = element;
        while at != 0 {
            let known = self.leaves.elements[at];
            let tied = choice.iter().find(|tied| self.leaves.elements[**tied].array == known.array);
            if let Some(tied) = tied
                && *tied != at
            {
                let after_array = self.leaves.arrays[known.array].end;
                conflict = Some(if at < *tied { *tied } else { after_array });
            }
            at = known.parent;
        }
        conflict
    }

    /// The choice, also tied to `element` and what is around it.
    fn tied(&self, choice: &Choice, element: usize) -> Choice {
        let mut tied = choice.clone();
        let mut at = element;
        while at != 0 {
            if let Err(place) = tied.binary_search(&at) {
                tied.insert(place, at);
            }
            at = self.leaves.elements[at].parent;
        }
        tied
    }

    /// What of the choice fields after `place` can meet.
    fn remembered(&self, place: usize, choice: &Choice) -> Choice {
        let is_met = |element: &&usize| {
            let array = self.leaves.elements[**element].array;
            self.last_met[array].is_some_and(|last| place < last)
        };
        choice.iter().filter(is_met).copied().collect()
    }
}
