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

use crate::flatten::{Array, Element};
use crate::limits::COMBINATIONS_MAX;

/// The choices grew beyond [`COMBINATIONS_MAX`].
#[derive(Debug)]
pub(crate) struct TooMany;

/// A possible choice: the elements it is tied to, ascending, without the event itself.
type Choice = [usize];

/// Several choices; kept for its memory.
#[derive(Debug, Default)]
struct Choices {
    elements: Vec<usize>,
    /// Where in `elements` each choice ends, and the next one begins.
    ends: Vec<usize>,
}

impl Choices {
    fn clear(&mut self) {
        self.elements.clear();
        self.ends.clear();
    }

    fn at(&self, number: usize) -> &Choice {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.elements[start..self.ends[number]]
    }

    fn push(&mut self, choice: impl Iterator<Item = usize>) {
        self.elements.extend(choice);
        self.ends.push(self.elements.len());
    }
}

/// What joins work in; kept for its memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    choices: Choices,
    next: Choices,
    order: Vec<usize>,
    tied: Vec<usize>,
    /// For each array, the place of the last field that can meet it.
    last_met: Vec<Option<usize>>,
}

pub(crate) struct Join<'a> {
    elements: &'a [Element],
    arrays: &'a [Array],
    memory: &'a mut Memory,
}

impl<'a> Join<'a> {
    pub(crate) fn new(
        elements: &'a [Element],
        arrays: &'a [Array],
        memory: &'a mut Memory,
    ) -> Self {
        memory.choices.clear();
        memory.choices.push(std::iter::empty());
        memory.last_met.clear();
        memory.last_met.resize(arrays.len(), None);
        Self { elements, arrays, memory }
    }

    /// Announces the elements that the field at `place` will be asked about. Places ascend.
    pub(crate) fn will_ask(&mut self, place: usize, elements: &[usize]) {
        for element in elements {
            let mut at = *element;
            while at != 0 {
                let known = self.elements[at];
                if self.memory.last_met[known.array] == Some(place) {
                    break;
                }
                self.memory.last_met[known.array] = Some(place);
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
        let mut next = std::mem::take(&mut self.memory.next);
        let mut tied = std::mem::take(&mut self.memory.tied);
        next.clear();
        for number in 0..self.memory.choices.ends.len() {
            let choice = self.memory.choices.at(number);
            if let Some(present) = absent_from
                && self.next_consistent(choice, present, 0).is_none()
            {
                next.push(self.remembered(place, choice));
            }
            let mut from = 0;
            while let Some(at) = self.next_consistent(choice, accepted, from) {
                self.tie(choice, accepted[at], &mut tied);
                next.push(self.remembered(place, &tied));
                from = at + 1;
            }
            if COMBINATIONS_MAX < next.ends.len() {
                return Err(TooMany);
            }
        }
        self.keep_distinct(&next);
        self.memory.next = next;
        self.memory.tied = tied;
        Ok(())
    }

    /// Puts the choices in order, each once, in the place of the present ones.
    fn keep_distinct(&mut self, found: &Choices) {
        let Memory { choices, order, .. } = &mut *self.memory;
        order.clear();
        order.extend(0..found.ends.len());
        order.sort_unstable_by(|left, right| found.at(*left).cmp(found.at(*right)));
        order.dedup_by(|left, right| found.at(*left) == found.at(*right));
        choices.clear();
        for number in &*order {
            choices.push(found.at(*number).iter().copied());
        }
    }

    /// No choice is left.
    pub(crate) fn is_over(&self) -> bool {
        self.memory.choices.ends.is_empty()
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
            let known = self.elements[at];
            let tied = choice.iter().find(|tied| self.elements[**tied].array == known.array);
            if let Some(tied) = tied
                && *tied != at
            {
                let after_array = self.arrays[known.array].end;
                conflict = Some(if at < *tied { *tied } else { after_array });
            }
            at = known.parent;
        }
        conflict
    }

    /// The choice, also tied to `element` and what is around it.
    fn tie(&self, choice: &Choice, element: usize, tied: &mut Vec<usize>) {
        tied.clear();
        tied.extend_from_slice(choice);
        let mut at = element;
        while at != 0 {
            if let Err(place) = tied.binary_search(&at) {
                tied.insert(place, at);
            }
            at = self.elements[at].parent;
        }
    }

    /// What of the choice fields after `place` can meet.
    fn remembered(&self, place: usize, choice: &Choice) -> impl Iterator<Item = usize> {
        let is_met = move |element: &usize| {
            let array = self.elements[*element].array;
            self.memory.last_met[array].is_some_and(|last| place < last)
        };
        choice.iter().copied().filter(is_met)
    }
}
